import { throwIfAborted } from '../runtime/abort.ts'
import { DitError } from '../runtime/errors.ts'
import { combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'

export interface DenoiseOptions {
  /** The guided model output for latents at timestep index i, of the latents' shape. */
  predict(latents: Tensor, timestep: number): Promise<Tensor>
  /** Unit noise times the scheduler's init_noise_sigma. */
  latents: Tensor
  scheduler: Scheduler
  signal?: AbortSignal
  /** Called when a step has run on the device; the state's newest denoised prediction is history[0]. */
  onStep?: (step: number, timestep: number, state: SolverState) => void | Promise<void>
}

/** The loop that all pipelines share: predict, step, once for each timestep. The final latents belong to the caller. */
export async function denoise(g: Recorder, options: DenoiseOptions): Promise<Tensor> {
  const { scheduler, signal, onStep } = options
  let state: SolverState = { latents: options.latents, history: [] }
  const steps = scheduler.timesteps.length
  for (let i = 0; i < steps; i++) {
    throwIfAborted(signal)
    state = await g.phase('step', async () => {
      const next = await recordStep(g, state, scheduler, i, options.predict)
      for (const tensor of [state.latents, ...state.history]) {
        if (tensor !== next.latents && !next.history.includes(tensor)) g.release(tensor)
      }
      await g.flush()
      await g.device.finished()
      return next
    })
    await onStep?.(i + 1, scheduler.timesteps[i], state)
  }
  for (const tensor of state.history) g.release(tensor)
  return state.latents
}

/** What a multistep solver carries from step to step. */
export interface SolverState {
  readonly latents: Tensor
  /** Denoised predictions of the steps before, the newest first. */
  readonly history: readonly Tensor[]
}

/** Records one step: the prediction and the scheduler's linear combinations. */
export async function recordStep(
  g: Recorder,
  { latents, history }: SolverState,
  scheduler: Scheduler,
  index: number,
  predict: DenoiseOptions['predict'],
): Promise<SolverState> {
  const plan = scheduler.step(index, history.length)
  if (plan.next.noise !== 0) {
    throw new DitError(
      'unsupported',
      'this scheduler draws noise in every step, which pipelines do not do yet',
      "Set algorithm_type to 'dpmsolver++' in scheduler_config.json.",
    )
  }
  const [next, denoised] = await g.scope(async () => {
    const scale = scheduler.scaleModelInput(index)
    const input = scale === 1 ? latents : combine(g, [[latents, scale]])
    const output = await predict(input, scheduler.timesteps[index])
    const d0 = combine(g, [
      [latents, plan.conv.sample],
      [output, plan.conv.output],
    ])
    const earlier = [d0, ...history].slice(0, plan.next.d.length)
    return [combine(g, [[latents, plan.next.sample], ...earlier.map((d, k) => [d, plan.next.d[k]] as const)]), d0]
  })
  // A third-order solver looks back two steps.
  return { latents: next, history: [denoised, ...history].slice(0, 2) }
}
