import { clamp, combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'

/** What a multistep solver carries from step to step, of a picture or of a piece of one. */
export interface SolverState {
  readonly latents: Tensor
  /** Denoised predictions of the steps before, the newest first. */
  readonly history: readonly Tensor[]
}

/** How many of the denoised predictions of the steps before `index` it and later steps look back at. */
export function historyNeeded(scheduler: Scheduler, index: number): number {
  const steps = scheduler.timesteps.length
  let needed = 0
  // A third-order solver looks back two steps: the step after the next may want the newest of them, too.
  for (const back of [0, 1]) {
    if (index + back >= steps) continue
    needed = Math.max(needed, scheduler.step(index + back, 2).next.d.length - 1 - back)
  }
  return needed
}

/**
 * The scheduler's step on a prediction, recorded.
 *
 * @param output the guided prediction, of the latents' shape
 * @param noise fresh unit noise of that shape, for schedulers that draw some in their steps
 */
export function solverStep(
  g: Recorder,
  { latents, history }: SolverState,
  output: Tensor,
  scheduler: Scheduler,
  index: number,
  noise: () => Float32Array,
): SolverState {
  const { conv, next } = scheduler.step(index, history.length)
  const converted = combine(g, [
    [latents, conv.sample],
    [output, conv.output],
  ])
  const d0 = conv.clamp === undefined ? converted : clamp(g, converted, conv.clamp)
  const earlier = [d0, ...history].slice(0, next.d.length)
  const terms: [Tensor, number][] = [[latents, next.sample], ...earlier.map((d, k): [Tensor, number] => [d, next.d[k]])]
  if (next.output !== 0) terms.push([output, next.output])
  if (next.noise !== 0) terms.push([g.upload(noise(), latents.shape, 'noise'), next.noise])
  // A third-order solver looks back two steps.
  return { latents: combine(g, terms), history: [d0, ...history].slice(0, 2) }
}
