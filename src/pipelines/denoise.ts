import { throwIfAborted } from '../runtime/abort.ts'
import { DitError } from '../runtime/errors.ts'
import { clamp, combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'

/** What a step is made of. */
export interface Stepping {
  /** The guided model output for latents at timestep index i, of the latents' shape. */
  predict(latents: Tensor, timestep: number): Promise<Tensor>
  scheduler: Scheduler
  /** Fresh unit noise of the latents' shape; asked for in the order of the steps, by schedulers that draw some. */
  noise?: () => Float32Array
}

export interface DenoiseOptions extends Stepping {
  /** Unit noise times the scheduler's init_noise_sigma. */
  latents: Tensor
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
      const next = await recordStep(g, state, options, i)
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

/** Records one step: the prediction and the scheduler's plan for it. */
export async function recordStep(
  g: Recorder,
  { latents, history }: SolverState,
  { predict, scheduler, noise }: Stepping,
  index: number,
): Promise<SolverState> {
  const { conv, next } = scheduler.step(index, history.length)
  const [stepped, denoised] = await g.scope(async () => {
    const scale = scheduler.scaleModelInput(index)
    const input = scale === 1 ? latents : combine(g, [[latents, scale]])
    const output = await predict(input, scheduler.timesteps[index])
    const converted = combine(g, [
      [latents, conv.sample],
      [output, conv.output],
    ])
    const d0 = conv.clamp === undefined ? converted : clamp(g, converted, conv.clamp)
    const earlier = [d0, ...history].slice(0, next.d.length)
    const terms: [Tensor, number][] = [
      [latents, next.sample],
      ...earlier.map((d, k): [Tensor, number] => [d, next.d[k]]),
    ]
    if (next.output !== 0) terms.push([output, next.output])
    if (next.noise !== 0) terms.push([g.upload(drawn(noise), latents.shape, 'noise'), next.noise])
    return [combine(g, terms), d0]
  })
  // A third-order solver looks back two steps.
  return { latents: stepped, history: [denoised, ...history].slice(0, 2) }
}

function drawn(noise: Stepping['noise']): Float32Array {
  if (noise) return noise()
  throw new DitError('validation', 'this scheduler draws noise in its steps, and was given none')
}
