import { copyRows, gather, linear, operand, qkNorm } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { extraConditions, type SizeAndStyle } from './conditions.ts'
import type { HunyuanDiTConfig } from './config.ts'

/** The text as the blocks see it. It depends on the prompt alone, so one serves all steps of a run. */
export interface HunyuanDiTText {
  /** Keys and values of each block's cross-attention, [batch, tokens, width]; sparse where a rank runs few blocks. */
  readonly keys: Tensor[]
  readonly values: Tensor[]
  /** What every step adds to the embedded timestep, [batch, width]. */
  readonly extra: Tensor
}

export interface HunyuanDiTCaptions {
  /** BERT's states [batch, textTokens, captionChannels], and T5's [batch, t5Tokens, t5Channels]. */
  readonly bert: Tensor
  readonly t5: Tensor
  /** 1 for text and 0 for padding, of each batch entry: first BERT's tokens, then T5's. */
  readonly mask: ArrayLike<number>
  /** For models that are told. */
  readonly conditions?: SizeAndStyle
}

/** Both encoders' states → keys and values for the blocks that this rank runs. */
export async function encodeText(
  g: Recorder,
  c: HunyuanDiTConfig,
  w: Weights,
  captions: HunyuanDiTCaptions,
  { first, end }: { first: number; end: number },
): Promise<HunyuanDiTText> {
  const extra = extraConditions(g, c, w.at('time_extra_emb'), captions.t5, captions.conditions)
  const text = operand(g, joined(g, w, captions))
  const keys: Tensor[] = []
  const values: Tensor[] = []
  for (let i = first; i < end; i++) {
    await w
      .at('blocks')
      .at(i)
      .using(g, async (own) => {
        const attn2 = own.at('attn2')
        const key = linear(g, text, attn2.affine('to_k'))
        keys[i] = qkNorm(g, key, { eps: 1e-6, ...attn2.norm('norm_k'), as: 'operand' })
        values[i] = linear(g, text, attn2.affine('to_v'), { as: 'operand' })
      })
  }
  return { keys, values, extra }
}

/** Both texts one after the other, learned rows in place of padding: [batch, textTokens + t5Tokens, captionChannels]. */
function joined(g: Recorder, w: Weights, { bert, t5, mask }: HunyuanDiTCaptions): Tensor {
  const hidden = linear(g, t5, w.affine('text_embedder.linear_1'), { activation: 'silu' })
  const parts = [bert, linear(g, hidden, w.affine('text_embedder.linear_2')), w.tensor('text_embedding_padding')]
  const columns = bert.dim(-1)
  const rows = parts.map((part) => part.size / columns)
  const table = g.create([rows[0] + rows[1] + rows[2], columns], 'f32', 'texts and padding')
  let first = 0
  for (const [k, part] of parts.entries()) {
    copyRows(
      g,
      part,
      { stride: columns, offset: 0 },
      table,
      { stride: columns, offset: first * columns },
      rows[k],
      columns,
    )
    first += rows[k]
  }
  const [batch, bertTokens, tokens] = [bert.dim(0), bert.dim(1), bert.dim(1) + t5.dim(1)]
  const ids = Uint32Array.from({ length: batch * tokens }, (_, i) => {
    const [entry, token] = [Math.floor(i / tokens), i % tokens]
    if (!mask[i]) return rows[0] + rows[1] + token
    return token < bertTokens
      ? entry * bertTokens + token
      : rows[0] + entry * (tokens - bertTokens) + token - bertTokens
  })
  return gather(g, table, g.upload(ids, [batch, tokens], 'rows of texts'))
}
