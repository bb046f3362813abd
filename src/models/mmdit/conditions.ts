import { activate, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { embedTimesteps } from '../timestep_embedder.ts'

/** What every block is told, of each batch entry. */
export interface TimeTextInputs {
  readonly timesteps: ArrayLike<number>
  /** For models that guidance was distilled into, times 1,000. */
  readonly guidance?: ArrayLike<number>
  /** The pooled text [batch, pooled]. */
  readonly pooled: Tensor
}

/**
 * Timestep, guidance and pooled text as one vector (diffusers' CombinedTimestepGuidanceTextProjEmbeddings), behind the SiLU
 * that all modulations begin with.
 *
 * @returns [batch, width]
 */
export function timeTextConditions(g: Recorder, w: Weights, { timesteps, guidance, pooled }: TimeTextInputs): Tensor {
  let embedded = embedTimesteps(g, w.at('timestep_embedder'), timesteps)
  if (guidance) embedded = embedTimesteps(g, w.at('guidance_embedder'), guidance, embedded)
  const text = w.at('text_embedder')
  const hidden = linear(g, pooled, text.affine('linear_1'), { activation: 'silu' })
  return activate(g, linear(g, hidden, text.affine('linear_2'), { residual: embedded }), 'silu')
}
