import { DitError } from '../../runtime/errors.ts'
import { type BlockStack, type Execution, throughBlocks } from '../../runtime/execution.ts'
import { linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { attentionInput, jointBlock, listed, releaseStates, type States } from '../mmdit/block.ts'
import { timeTextConditions } from '../mmdit/conditions.ts'
import { projectOut } from '../mmdit/output.ts'
import { rotaryOfIds, type SequenceRotary, uploadRotary } from '../rotary.ts'
import type { FluxConfig } from './config.ts'
import { singleBlock } from './single_block.ts'

/** T5's hidden states [batch, tokens, captionChannels] as the first block takes them. One serves all steps of a run. */
export const encodeText = (g: Recorder, w: Weights, captions: Tensor): Tensor =>
  linear(g, captions, w.affine('context_embedder'))

/**
 * Rotary positions, the same in all steps.
 *
 * @param imageIds of all tokens of the picture, [tokens, axes]: 0, row, column
 * @param textIds [text tokens, axes], all 0 in FLUX.1
 */
export const fluxRotary = (
  g: Recorder,
  { ropeAxes, headDim }: FluxConfig,
  imageIds: ArrayLike<number>,
  textIds: ArrayLike<number>,
): SequenceRotary => ({
  image: uploadRotary(g, rotaryOfIds(imageIds, ropeAxes), headDim),
  text: uploadRotary(g, rotaryOfIds(textIds, ropeAxes), headDim),
})

export interface FluxInputs {
  /** On the first stage: packed latents of this rank's tokens, [batch, tokens, inChannels]. */
  readonly latents?: Tensor
  /** Between stages: the hidden states [batch, tokens, width] that the stage before handed over. */
  readonly hidden?: Tensor
  /** [batch, text tokens, width]: on the first stage from `encodeText`, on others from the stage before; see Execution.enter. */
  readonly textHidden?: Tensor
  readonly rotary: SequenceRotary
  /** From 1 (noise) to 0, of each batch entry. */
  readonly timesteps: ArrayLike<number>
  /** The guidance scale of each batch entry, where the model has guidance embedded. */
  readonly guidance?: ArrayLike<number>
  /** CLIP's pooled text [batch, pooledChannels]. */
  readonly pooled: Tensor
}

/**
 * FluxTransformer2DModel (Black Forest Labs 2024; diffusers transformer_flux.py). `execution.blocks` counts double blocks
 * first, then single ones.
 *
 * @returns on the last stage the predicted patches [batch, tokens, outChannels] as `image`; before it, hidden states of both
 * @throws DitError 'bad-argument' where guidance is missing, or the model has no use for it
 */
export async function fluxTransformer(
  g: Recorder,
  c: FluxConfig,
  w: Weights,
  { latents, hidden, textHidden, rotary, timesteps, guidance, pooled }: FluxInputs,
  execution: Execution,
): Promise<States> {
  if (c.guidanceEmbeds !== (guidance !== undefined)) {
    throw new DitError('bad-argument', `this FLUX model ${guidance ? 'takes no' : 'needs a'} guidance scale as input`)
  }
  const given = { timesteps: thousandfold(timesteps), guidance: guidance && thousandfold(guidance), pooled }
  const conditions = await g.scope(() => timeTextConditions(g, w.at('time_text_embed'), given))

  const last = c.layers + c.singleLayers - 1
  const stack: BlockStack = {
    async run(first, end, [image, text]) {
      const entering: States = { image, text }
      let states = entering
      for (let i = first; i < end; i++) {
        const double = i < c.layers
        const key = double ? `transformer_blocks.${i}` : `single_transformer_blocks.${i - c.layers}`
        const before = { image: states.image, text: execution.enter(g, key, states.text) }
        const shape = { key, headDim: c.headDim, rotary }
        const next = await w
          .at(key)
          .using(g, (own) =>
            g.scope(() =>
              double
                ? jointBlock(g, { ...shape, ...DOUBLE }, own, before, conditions, execution)
                : singleBlock(g, { ...shape, last: i === last }, own, before, conditions, execution),
            ),
          )
        if (states !== entering) releaseStates(g, states)
        states = next
      }
      return listed(states)
    },
    firstInput: (x) => w.at('transformer_blocks.0').using(g, async (own) => attentionInput(g, own, x, conditions)),
  }
  const embedded = hidden ?? linear(g, latents!, w.affine('x_embedder'))
  const [image, text] = await throughBlocks(g, execution, listed({ image: embedded, text: textHidden }), stack)
  return execution.blocks.tail ? { image: projectOut(g, w, image, conditions) } : { image, text }
}

const DOUBLE = { textFirst: true, qkNorm: true, dual: false, contextPreOnly: false } as const

/** Times 1,000, in float32 as torch has it. */
const thousandfold = (values: ArrayLike<number>): Float32Array =>
  Float32Array.from(values, (value) => Math.fround(value) * 1000)
