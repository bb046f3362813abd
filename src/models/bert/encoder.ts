import { add, attention, gather, layerNorm, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { rowOfEach } from '../row_of_each.ts'
import { MASKED, tokensOfEach, uploadIds, uploadPositions } from '../token_ids.ts'
import type { BertConfig } from './config.ts'

export interface BertInputs {
  /** Token ids, batch · tokens of them. */
  readonly ids: ArrayLike<number>
  readonly batch: number
  /** 1 for text and 0 for padding, as many. Default: all text. */
  readonly mask?: ArrayLike<number>
  /** The kind of each token, as many. Default: 0, the first text. */
  readonly types?: ArrayLike<number>
}

/**
 * BertModel (Devlin et al. 2019; transformers modeling_bert.py): norms come after sums.
 * @returns the last hidden state [batch, tokens, width]
 * @throws DitError bad-argument for tokens that the encoder cannot have
 */
export async function bertEncoder(
  g: Recorder,
  c: BertConfig,
  w: Weights,
  { ids, batch, mask, types }: BertInputs,
): Promise<Tensor> {
  const shape = [batch, tokensOfEach(ids, batch, c.positions)]
  const padding =
    mask &&
    g.upload(
      Float32Array.from(mask, (m) => (m ? 0 : MASKED)),
      shape,
      'padding',
    )
  const words = uploadIds(g, ids, shape, c.vocabulary)
  const kinds = uploadIds(g, types ?? new Uint8Array(ids.length), shape, c.types, 'token type')
  let x = await g.scope(() => embed(g, c, w.at('embeddings'), words, kinds))
  for (let i = 0; i < c.layers; i++) {
    const layer = w.at('encoder').at('layer').at(i)
    const before = x
    x = await layer.using(g, (own) => g.scope(() => block(g, c, own, before, padding)))
    g.release(before)
  }
  return x
}

/** pooler_output: the first token's state through a layer of its own [batch, width]. */
export function bertPooler(g: Recorder, w: Weights, hidden: Tensor): Tensor {
  const first = rowOfEach(g, hidden, new Array(hidden.dim(0)).fill(0))
  return linear(g, first, w.affine('pooler.dense'), { activation: 'tanh' })
}

function embed(g: Recorder, c: BertConfig, w: Weights, ids: Tensor, types: Tensor): Tensor {
  const typed = add(
    g,
    gather(g, w.tensor('word_embeddings.weight'), ids),
    gather(g, w.tensor('token_type_embeddings.weight'), types),
  )
  const places = gather(g, w.tensor('position_embeddings.weight'), uploadPositions(g, ids.dim(1)))
  return layerNorm(g, add(g, typed, places), { eps: c.eps, ...w.norm('LayerNorm') })
}

function block(g: Recorder, c: BertConfig, w: Weights, x: Tensor, mask: Tensor | undefined): Tensor {
  const [self, output] = [w.at('attention').at('self'), w.at('attention').at('output')]
  const [q, k, v] = ['query', 'key', 'value'].map((part) => linear(g, x, self.affine(part), { as: 'operand' }))
  const attended = attention(g, { q, k, v, heads: c.heads, mask })
  const summed = linear(g, attended, output.affine('dense'), { residual: x })
  const h = layerNorm(g, summed, { eps: c.eps, ...output.norm('LayerNorm') })

  const up = linear(g, h, w.affine('intermediate.dense'), { activation: 'gelu', as: 'operand' })
  const down = linear(g, up, w.affine('output.dense'), { residual: h })
  return layerNorm(g, down, { eps: c.eps, ...w.at('output').norm('LayerNorm') })
}
