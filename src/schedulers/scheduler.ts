/**
 * One denoising step as linear combinations, so that one kernel can carry out each:
 *
 *     d0   = clamp(conv.sample * x + conv.output * m, ±conv.clamp)
 *     next = next.sample * x + next.output * m + next.d[0] * d0 + next.d[1] * d1 + next.d[2] * d2 + next.noise * noise
 *
 * x: the latents before the step; m: the network's output after guidance (the mean, where it predicts a variance too);
 * d0: the converted output, which the caller keeps; d1, d2: those of one and two steps before; noise: fresh normal noise,
 * drawn only where its coefficient is not 0.
 */
export interface StepPlan {
  /** Without `clamp` nothing is cut off. */
  conv: { sample: number; output: number; clamp?: number }
  /** `d` has at most as many entries as the step has order; `noise` is 0 for deterministic steps. */
  next: { sample: number; output: number; d: number[]; noise: number }
  order: number
}

export interface SetTimestepsOptions {
  /** What shifts the noise levels with the picture's size, for configs with `use_dynamic_shifting`. */
  mu?: number
  /** Noise levels to use instead of computed ones, greatest first. EulerDiscreteScheduler wants the final one too. */
  sigmas?: readonly number[]
  /** Training timesteps to use instead of computed ones, greatest first. */
  timesteps?: readonly number[]
  /** Weight of fresh noise in each step, 0 to 1; schedulers whose `takesEta` is false do without it. Default 0. */
  eta?: number
}

/** A sampler: host maths only. Its steps are coefficients, its state the schedule alone. */
export interface Scheduler {
  /** Standard deviation of the initial latents; it may follow from the schedule, so ask after `setTimesteps`. */
  readonly initNoiseSigma: number
  /** Whether `eta` means something to it. */
  readonly takesEta: boolean
  /** What the network is given at each step, greatest first. Empty before `setTimesteps`. */
  readonly timesteps: readonly number[]
  /**
   * The noise level before each step, and the one after the last: one entry more than `timesteps`. Empty for the
   * samplers that have timesteps alone, DDPM and DDIM.
   */
  readonly sigmas: readonly number[]
  /**
   * Lays out a schedule of `steps` steps; custom timesteps or sigmas must have that many entries.
   * @throws DitError bad-argument when the steps or options do not suit the config.
   */
  setTimesteps(steps: number, options?: SetTimestepsOptions): void
  /** The factor of the latents when they go into the network at step `index`. */
  scaleModelInput(index: number): number
  /**
   * The coefficients of step `index` when `history` earlier converted outputs exist. A pure function of both, so that
   * several histories (one for each patch) can share a scheduler.
   */
  step(index: number, history: number): StepPlan
}
