import { DitError } from '../../runtime/errors.ts'
import { type BlockStack, type Execution, type TokenRange, throughBlocks } from '../../runtime/execution.ts'
import { linear, patchify } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { attentionInput, jointBlock, listed, releaseStates, type States } from '../mmdit/block.ts'
import { timeTextConditions } from '../mmdit/conditions.ts'
import { projectOut } from '../mmdit/output.ts'
import type { SD3Config } from './config.ts'
import { blockShape } from './parameters.ts'
import { croppedPositions } from './positions.ts'

/** The encoders' joined states [batch, tokens, captionChannels] as the first block takes them. One serves all steps. */
export const encodeText = (g: Recorder, w: Weights, captions: Tensor): Tensor =>
  linear(g, captions, w.affine('context_embedder'))

export interface SD3Inputs {
  /** [pictures, inChannels, height, width], on the first stage; fewer pictures than the text's batch repeat (guidance). */
  readonly latents?: Tensor
  /** Between stages: the hidden states [batch, tokens, width] that the stage before handed over. */
  readonly hidden?: Tensor
  /** [batch, text tokens, width]: on the first stage from `encodeText`, on others from the stage before; see Execution.enter. */
  readonly textHidden?: Tensor
  /** From 1,000 (noise) to 0, of each batch entry. */
  readonly timesteps: ArrayLike<number>
  /** CLIP's pooled texts, joined: [batch, pooledChannels]. */
  readonly pooled: Tensor
  /** Blocks that are left out: skip layer guidance. */
  readonly skipLayers?: readonly number[]
}

/**
 * SD3Transformer2DModel (Esser et al. 2024; diffusers transformer_sd3.py).
 *
 * @returns on the last stage the predicted patches [batch, tokens, patch² · outChannels] as `image`; before it, hidden
 * states of both
 * @throws DitError 'bad-argument' where latents are larger than the positions that the model has
 */
export async function sd3Transformer(
  g: Recorder,
  c: SD3Config,
  w: Weights,
  { latents, hidden, textHidden, timesteps, pooled, skipLayers = [] }: SD3Inputs,
  execution: Execution,
): Promise<States> {
  const { blocks, tokens } = execution
  const conditions = await g.scope(() => timeTextConditions(g, w.at('time_text_embed'), { timesteps, pooled }))

  const stack: BlockStack = {
    async run(first, end, [image, text]) {
      const entering: States = { image, text }
      let states = entering
      for (let i = first; i < end; i++) {
        if (skipLayers.includes(i)) continue
        const key = `transformer_blocks.${i}`
        const shape = { key, textFirst: false, ...blockShape(c, i) }
        const before = { image: states.image, text: execution.enter(g, key, states.text) }
        const next = await w
          .at(key)
          .using(g, (own) => g.scope(() => jointBlock(g, shape, own, before, conditions, execution)))
        if (states !== entering) releaseStates(g, states)
        states = next
      }
      return listed(states)
    },
    firstInput: (x) => w.at('transformer_blocks.0').using(g, async (own) => attentionInput(g, own, x, conditions)),
  }
  const embedded =
    hidden ?? (await g.scope(() => embedPatches(g, c, w.at('pos_embed'), latents!, timesteps.length, tokens)))
  const [image, text] = await throughBlocks(g, execution, listed({ image: embedded, text: textHidden }), stack)
  return blocks.tail ? { image: projectOut(g, w, image, conditions) } : { image, text }
}

function embedPatches(
  g: Recorder,
  c: SD3Config,
  w: Weights,
  latents: Tensor,
  batch: number,
  tokens: TokenRange,
): Tensor {
  const [rows, columns] = [latents.dim(2) / c.patch, latents.dim(3) / c.patch]
  if (rows > c.positions || columns > c.positions) {
    throw new DitError(
      'bad-argument',
      `${rows} x ${columns} patches of latents, and this SD3 model has positions for ${c.positions} x ${c.positions}`,
      'Draw a smaller picture.',
    )
  }
  const patches = patchify(g, latents, { patch: c.patch, batch, ...tokens })
  const residual = croppedPositions(g, w.tensor('pos_embed'), c.positions, { rows, columns }, tokens)
  return linear(g, patches, w.affine('proj'), { residual })
}
