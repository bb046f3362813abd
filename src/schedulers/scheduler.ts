/**
 * One denoising step as a linear combination, so that one kernel can carry it out:
 *
 *     d0   = conv.sample * x + conv.output * m
 *     next = next.sample * x + next.d[0] * d0 + next.d[1] * d1 + next.d[2] * d2 + next.noise * noise
 *
 * x: the latents before the step; m: the network's output after guidance (the mean, where it predicts a variance too);
 * d0: the converted output, which the caller keeps; d1, d2: those of one and two steps before; noise: fresh normal noise.
 */
export interface StepPlan {
  conv: { sample: number; output: number }
  /** `d` has as many entries as the step has order; `noise` is 0 for deterministic solvers. */
  next: { sample: number; d: number[]; noise: number }
  order: number
}

export interface SetTimestepsOptions {
  /** Exponent of the dynamic time shift, for configs with `use_dynamic_shifting`. */
  mu?: number
  /** Noise levels to use instead of computed ones, greatest first, without the final one. */
  sigmas?: readonly number[]
  /** Training timesteps to use instead of computed ones, greatest first. */
  timesteps?: readonly number[]
}

/** A sampler: host maths only. Its steps are coefficients, its state the schedule alone. */
export interface Scheduler {
  /** Standard deviation of the initial latents. */
  readonly initNoiseSigma: number
  /** What the network is given at each step, greatest first. Empty before `setTimesteps`. */
  readonly timesteps: readonly number[]
  /** The noise level before each step, and the one after the last: one entry more than `timesteps`. */
  readonly sigmas: readonly number[]
  /**
   * Lays out a schedule of `steps` steps; custom timesteps or sigmas must have that many entries.
   * @throws DitError bad-argument when the steps do not suit the config.
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
