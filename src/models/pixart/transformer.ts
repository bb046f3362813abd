import { type BlockStack, type Execution, throughBlocks } from '../../runtime/execution.ts'
import { add, attention, gather, layerNorm, linear, operand, patchify } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { sinCosPositions2d } from '../embeddings.ts'
import { type MicroConditions, timestepConditions } from './conditions.ts'
import type { PixArtConfig } from './config.ts'

/** The text as the blocks see it. It depends on the prompt alone, so one serves all steps of a run. */
export interface PixArtText {
  /** Keys and values of each block's cross-attention, [batch, tokens, width]; sparse where a rank runs few blocks. */
  readonly keys: Tensor[]
  readonly values: Tensor[]
  /** Additive [batch, tokens]: 0 for text, -10,000 for padding. */
  readonly mask: Tensor
}

/** Caption embeddings [batch, tokens, captionChannels] → keys and values for the blocks that this rank runs. */
export async function encodeText(
  g: Recorder,
  w: Weights,
  captions: Tensor,
  mask: Tensor,
  { first, end }: { first: number; end: number },
): Promise<PixArtText> {
  const hidden = linear(g, captions, w.affine('caption_projection.linear_1'), {
    activation: 'gelu_tanh',
    as: 'operand',
  })
  const text = linear(g, hidden, w.affine('caption_projection.linear_2'), { as: 'operand' })
  const keys: Tensor[] = []
  const values: Tensor[] = []
  for (let i = first; i < end; i++) {
    await w
      .at('transformer_blocks')
      .at(i)
      .using(g, async (own) => {
        const attn2 = own.at('attn2')
        keys[i] = linear(g, text, attn2.affine('to_k'), { as: 'operand' })
        values[i] = linear(g, text, attn2.affine('to_v'), { as: 'operand' })
      })
  }
  return { keys, values, mask }
}

export interface PixArtInputs {
  /** [pictures, inChannels, height, width], on the first stage; fewer pictures than the text's batch repeat (guidance). */
  readonly latents?: Tensor
  /** Of each batch entry. */
  readonly timesteps: ArrayLike<number>
  readonly text: PixArtText
  /** Between stages: the hidden states [batch, tokens, width] that the stage before handed over. */
  readonly hidden?: Tensor
  readonly conditions?: MicroConditions
}

/**
 * PixArtTransformer2DModel (Chen et al. 2023, 2024; diffusers pixart_transformer_2d.py).
 *
 * @returns on the last stage the predicted patches [batch, tokens, patch² · outChannels]; before it, hidden states
 */
export async function pixartTransformer(
  g: Recorder,
  c: PixArtConfig,
  w: Weights,
  { latents, timesteps, text, hidden, conditions }: PixArtInputs,
  execution: Execution,
): Promise<Tensor> {
  const { blocks, tokens } = execution
  const [embedded, modulation] = await g.scope(() =>
    timestepConditions(g, c, w.at('adaln_single'), timesteps, conditions),
  )

  const stack: BlockStack = {
    async run(first, end, [entering], spent) {
      let x = entering
      for (let i = first; i < end; i++) {
        const weights = w.at('transformer_blocks').at(i)
        const before = x
        x = await weights.using(g, (own) => g.scope(() => block(g, c, own, i, before, modulation, text, execution)))
        // Where ranks exchange in the midst of a pass, it would last as long as that.
        if (before !== entering || spent) g.release(before)
      }
      return [x]
    },
    firstInput: (x) =>
      w
        .at('transformer_blocks')
        .at(0)
        .using(g, async (own) => {
          const table = add(g, modulation, own.tensor('scale_shift_table'))
          return layerNorm(g, x, { eps: c.normEps, modulation: { of: table, shift: 0, scale: c.width } })
        }),
  }
  const entered = hidden ?? (await g.scope(() => embedPatches(g, c, w, latents!, timesteps.length, tokens)))
  const [x] = await throughBlocks(g, execution, [entered], stack)
  if (!blocks.tail) return x

  const table = add(g, repeatTwice(g, embedded), w.tensor('scale_shift_table')) // [batch, 2, width]
  const out = layerNorm(g, x, { eps: 1e-6, modulation: { of: table, shift: 0, scale: c.width }, as: 'operand' })
  return linear(g, out, w.affine('proj_out'))
}

async function block(
  g: Recorder,
  c: PixArtConfig,
  w: Weights,
  index: number,
  x: Tensor,
  modulation: Tensor, // [batch, 6 · width]
  text: PixArtText,
  execution: Execution,
): Promise<Tensor> {
  const { width } = c
  const table = add(g, modulation, w.tensor('scale_shift_table'))
  const [shiftMsa, scaleMsa, gateMsa, shiftMlp, scaleMlp, gateMlp] = [0, 1, 2, 3, 4, 5].map((k) => k * width)

  const attn1 = w.at('attn1')
  const a = layerNorm(g, x, {
    eps: c.normEps,
    modulation: { of: table, shift: shiftMsa, scale: scaleMsa },
    as: 'operand',
  })
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((part) => linear(g, a, attn1.affine(part), { as: 'operand' }))
  const heads = q.dim(-1) / c.headDim // of this rank
  const { image } = await execution.attend(g, `transformer_blocks.${index}.attn1`, { q, k, v, heads })
  // The gate is a factor, so that sums over ranks can be gated one by one; bias and residual are added by one of them.
  const out1 = { gate: { of: table, offset: gateMsa }, residual: execution.once(x) }
  x = await execution.reduce(g, linear(g, image, attn1.affine('to_out.0'), out1))

  const attn2 = w.at('attn2')
  const cross = attention(g, {
    q: linear(g, operand(g, x), attn2.affine('to_q'), { as: 'operand' }),
    k: text.keys[index],
    v: text.values[index],
    heads,
    mask: text.mask,
  })
  x = await execution.reduce(g, linear(g, cross, attn2.affine('to_out.0'), { residual: execution.once(x) }))

  const m = layerNorm(g, x, {
    eps: c.normEps,
    modulation: { of: table, shift: shiftMlp, scale: scaleMlp },
    as: 'operand',
  })
  const up = linear(g, m, w.affine('ff.net.0.proj'), { activation: 'gelu_tanh', as: 'operand' })
  const down = { gate: { of: table, offset: gateMlp }, residual: execution.once(x) }
  return execution.reduce(g, linear(g, up, w.affine('ff.net.2'), down))
}

function embedPatches(
  g: Recorder,
  c: PixArtConfig,
  w: Weights,
  latents: Tensor,
  batch: number,
  { first, end }: { first: number; end: number },
): Tensor {
  const [, , height, width] = latents.shape
  const grid = { rows: height / c.patch, columns: width / c.patch }
  const positions = sinCosPositions2d(c.width, {
    ...grid,
    baseSize: Math.floor(c.sampleSize / c.patch),
    interpolationScale: c.interpolationScale,
  }).subarray(first * c.width, end * c.width)
  const residual = g.upload(positions, [end - first, c.width], 'positions')
  const patches = patchify(g, latents, { patch: c.patch, batch, first, end })
  return linear(g, patches, w.affine('pos_embed.proj'), { residual })
}

/** [batch, width] → [batch, 2, width], both rows alike: shift and scale start from the same embedding. */
const repeatTwice = (g: Recorder, x: Tensor): Tensor =>
  gather(
    g,
    x,
    g.upload(
      Uint32Array.from({ length: x.dim(0) * 2 }, (_, i) => i >> 1),
      [x.dim(0), 2],
      'rows',
    ),
  )
