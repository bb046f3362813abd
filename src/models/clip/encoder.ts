import { DitError } from '../../runtime/errors.ts'
import { add, attention, gather, layerNorm, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { rowOfEach } from '../row_of_each.ts'
import { MASKED, tokensOfEach, uploadIds, uploadPositions } from '../token_ids.ts'
import type { ClipTextConfig } from './config.ts'

export interface ClipTextStates {
  /** hidden_states[-k] of transformers, without the final norm [batch, tokens, width]. */
  readonly hidden: Tensor
  /** The last hidden state, normed [batch, tokens, width]. */
  readonly last: Tensor
  /** Its row at the end of each text [batch, width]. */
  readonly pooled: Tensor
}

/** diffusers' `clip_skip` layers are left out beside the last one, which all pipelines leave out. */
export const hiddenOfSkip = (clipSkip = 0): number => clipSkip + 2

/**
 * CLIPTextModel (Radford et al. 2021; transformers modeling_clip.py): every token attends to itself and those before it,
 * padding too.
 *
 * @param ids token ids, batch · tokens of them
 * @param k which hidden state, counted from the last: 1 is the last layer's, layers + 1 the embeddings
 * @throws DitError bad-argument for tokens that the encoder cannot have, or a hidden state that it does not have
 */
export async function clipTextEncoder(
  g: Recorder,
  c: ClipTextConfig,
  w: Weights,
  ids: ArrayLike<number>,
  batch: number,
  k = hiddenOfSkip(),
): Promise<ClipTextStates> {
  if (!Number.isInteger(k) || k < 1 || k > c.layers + 1) {
    const most = `it has ${c.layers} layers`
    throw new DitError('bad-argument', `hidden state ${k} from the last of the CLIP text encoder: ${most}`)
  }
  const text = w.at('text_model')
  const embeddings = text.at('embeddings')
  const tokens = tokensOfEach(ids, batch, c.positions)
  const words = gather(g, embeddings.tensor('token_embedding.weight'), uploadIds(g, ids, [batch, tokens], c.vocabulary))
  let x = add(g, words, gather(g, embeddings.tensor('position_embedding.weight'), uploadPositions(g, tokens)))
  const bias = g.upload(causalBias(tokens), [1, tokens, tokens], 'causal')
  let hidden = k === c.layers + 1 ? x : undefined
  for (let i = 0; i < c.layers; i++) {
    const layer = text.at('encoder').at('layers').at(i)
    const before = x
    x = await layer.using(g, (own) => g.scope(() => block(g, c, own, before, bias)))
    if (before !== hidden) g.release(before)
    if (i === c.layers - k) hidden = x
  }
  const last = layerNorm(g, x, { eps: c.eps, ...text.norm('final_layer_norm') })
  return { hidden: hidden!, last, pooled: rowOfEach(g, last, endPositions(ids, batch, c.eos)) }
}

/** text_embeds of CLIPTextModelWithProjection [batch, projection]. */
export function clipTextProjection(g: Recorder, w: Weights, pooled: Tensor): Tensor {
  return linear(g, pooled, w.affine('text_projection'))
}

function block(g: Recorder, c: ClipTextConfig, w: Weights, x: Tensor, bias: Tensor): Tensor {
  const self = w.at('self_attn')
  const a = layerNorm(g, x, { eps: c.eps, ...w.norm('layer_norm1'), as: 'operand' })
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((part) => linear(g, a, self.affine(part), { as: 'operand' }))
  const attended = attention(g, { q, k, v, heads: c.heads, bias })
  const h = linear(g, attended, self.affine('out_proj'), { residual: x })

  const f = layerNorm(g, h, { eps: c.eps, ...w.norm('layer_norm2'), as: 'operand' })
  const up = linear(g, f, w.affine('mlp.fc1'), { activation: c.activation, as: 'operand' })
  return linear(g, up, w.affine('mlp.fc2'), { residual: h })
}

/** No weight for later tokens [tokens, tokens]. */
function causalBias(tokens: number): Float32Array {
  const bias = new Float32Array(tokens * tokens)
  for (let query = 0; query < tokens; query++) bias.fill(MASKED, query * tokens + query + 1, (query + 1) * tokens)
  return bias
}

/**
 * Where each text ends: at the first `eos`; the first token if there is none. Configs of the first releases say 2, which
 * no tokenizer has: for them it is the first of the greatest ids, which the true one is.
 */
export function endPositions(ids: ArrayLike<number>, batch: number, eos: number): number[] {
  const all = Array.from(ids)
  const tokens = all.length / batch
  return Array.from({ length: batch }, (_, i) => {
    const row = all.slice(i * tokens, (i + 1) * tokens)
    return eos === 2 ? row.indexOf(Math.max(...row)) : Math.max(0, row.indexOf(eos))
  })
}
