import type { States } from '../../models/mmdit/block.ts'
import type { Execution } from '../../runtime/execution.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { DenoisingNetwork } from '../denoise.ts'

/** What a transformer of joint attention is given on this rank's stage. */
export interface JointInputs {
  /** On the first stage. */
  readonly latents?: Tensor
  /** On the others. */
  readonly hidden?: Tensor
  /** Where it comes with the image: see `Execution.enter`. */
  readonly textHidden?: Tensor
  /** Of each batch entry. */
  readonly timesteps: readonly number[]
  /** Of the schedule, from 0. */
  readonly step: number
}

export interface JointNetwork extends Pick<DenoisingNetwork, 'patch' | 'guidance' | 'unpatchify' | 'longerSteps'> {
  readonly batch: number
  readonly width: number
  readonly textTokens: number
  /** The text as the first block takes it, on the first stage. */
  readonly text: Tensor | undefined
  run(g: Recorder, inputs: JointInputs, execution: Execution): Promise<States>
}

/** A transformer whose stages hand on image and text: MMDiT (SD3, FLUX). */
export const jointNetwork = ({ batch, width, textTokens, text, run, ...rest }: JointNetwork): DenoisingNetwork => ({
  ...rest,
  activations: (tokens, first) => [
    { shape: [batch, tokens, width], dtype: 'f32' },
    // Later patches take the text that entered each block with the first.
    ...(first ? [{ shape: [batch, textTokens, width], dtype: 'f32' } as const] : []),
  ],
  async forward(g, { latents, activations = [], timestep, step }, execution) {
    const [hidden, textHidden = text] = activations
    const timesteps = Array<number>(batch).fill(timestep)
    const states = await run(g, { latents, hidden, textHidden, timesteps, step }, execution)
    return states.text ? [states.image, states.text] : [states.image]
  },
})
