// Training noise schedules. torch computes them in float32, and rounds where this file rounds.
const { fround, sqrt } = Math

export type BetaSchedule = 'linear' | 'scaled_linear' | 'squaredcos_cap_v2' | 'laplace' | 'sigmoid'
/** What all classes of diffusers have; DDPMScheduler has the other two besides. */
export const BETA_SCHEDULES: readonly BetaSchedule[] = ['linear', 'scaled_linear', 'squaredcos_cap_v2']
export const DDPM_BETA_SCHEDULES: readonly BetaSchedule[] = [...BETA_SCHEDULES, 'laplace', 'sigmoid']

/** The noise variance added at each of `steps` training timesteps. */
export function makeBetas(schedule: BetaSchedule, start: number, end: number, steps: number): Float32Array {
  switch (schedule) {
    case 'linear':
      return linspace32(start, end, steps)
    case 'scaled_linear':
      return linspace32(sqrt(start), sqrt(end), steps).map((root) => root * root)
    case 'squaredcos_cap_v2':
      return betasOf(cosineAlphaBar, steps)
    case 'laplace':
      return betasOf(laplaceAlphaBar, steps)
    case 'sigmoid':
      return linspace32(-6, 6, steps).map((x) => fround(fround(1 / (1 + Math.exp(-x))) * fround(end - start)) + start)
  }
}

/** Betas to the share of the signal's variance that is left at each timestep: the running product of 1 - beta. */
export function cumulativeAlphas(betas: Float32Array): Float32Array {
  let product = 1 // torch accumulates in double
  return betas.map((beta) => (product *= fround(1 - beta)))
}

/**
 * Betas rescaled so that nothing is left of the signal at the last timestep (Lin et al. 2023, algorithm 1;
 * diffusers' `rescale_zero_terminal_snr`).
 */
export function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(sqrt)
  const first = roots[0]
  const last = roots[roots.length - 1]
  const scale = fround(first / fround(first - last))
  const alphaBars = roots.map((root) => fround(fround(root - last) * scale) ** 2)
  return alphaBars.map((alphaBar, i) => 1 - fround(i === 0 ? alphaBar : alphaBar / alphaBars[i - 1]))
}

/** torch.linspace in float32, which counts from the nearer end. */
export function linspace32(start: number, end: number, steps: number): Float32Array {
  const first = fround(start)
  const last = fround(end)
  if (steps === 1) return Float32Array.of(first)
  const step = fround(fround(last - first) / (steps - 1))
  const half = Math.floor(steps / 2)
  return Float32Array.from({ length: steps }, (_, i) => (i < half ? first + step * i : last - step * (steps - 1 - i)))
}

function betasOf(alphaBar: (t: number) => number, steps: number): Float32Array {
  return Float32Array.from({ length: steps }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / steps) / alphaBar(i / steps), 0.999),
  )
}

function cosineAlphaBar(t: number): number {
  return Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2
}

function laplaceAlphaBar(t: number): number {
  const lambda = (t <= 0.5 ? -0.5 : 0.5) * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6)
  const snr = Math.exp(lambda)
  return sqrt(snr / (1 + snr))
}
