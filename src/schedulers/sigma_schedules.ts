import { symmetricBetaQuantile } from './beta_distribution.ts'
import { linspace } from './timestep_spacing.ts'

// Noise levels of `steps` steps, greatest first, without the final one. In float64, as numpy computes them.

/** Karras et al. 2022, equation 5, rho = 7. */
export function karrasSigmas(min: number, max: number, steps: number): number[] {
  const rho = 7
  const from = max ** (1 / rho)
  const to = min ** (1 / rho)
  return linspace(0, 1, steps).map((ramp) => (from + ramp * (to - from)) ** rho)
}

/** Evenly spaced in the logarithm. */
export function exponentialSigmas(min: number, max: number, steps: number): number[] {
  return linspace(Math.log(max), Math.log(min), steps).map(Math.exp)
}

/** Quantiles of the beta distribution with parameters 0.6 (Lee et al. 2024, "Beta Sampling is All You Need"). */
export function betaSigmas(min: number, max: number, steps: number): number[] {
  return linspace(0, 1, steps).map((ramp) => min + symmetricBetaQuantile(1 - ramp, 0.6) * (max - min))
}

/** Schedules between a least and a greatest noise level, by the flag that turns them on. */
export const SIGMA_SCHEDULES = { karras: karrasSigmas, exponential: exponentialSigmas, beta: betaSigmas }

/** Evenly spaced in the log signal-to-noise ratio (Lu et al. 2022), from the logarithms of the least and greatest. */
export function luSigmas(logMin: number, logMax: number, steps: number): number[] {
  return linspace(0, 1, steps).map((ramp) => Math.exp(logMax + ramp * (logMin - logMax)))
}

/** Flow matching: evenly spaced, then shifted towards noise. */
export function flowSigmas(trainTimesteps: number, shift: number, steps: number): number[] {
  return linspace(1, 1 / trainTimesteps, steps + 1)
    .map((alpha) => 1 - alpha)
    .map((sigma) => (shift * sigma) / (1 + (shift - 1) * sigma))
    .reverse()
    .slice(0, -1)
}

/**
 * The fractional training timestep of a noise level, between the levels of the neighbours in `logSigmas` (float32,
 * rising, one for each training timestep; diffusers' `_sigma_to_t`).
 */
export function sigmaToTimestep(sigma: number, logSigmas: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10))
  let low = 0
  while (low < logSigmas.length - 2 && logSigmas[low + 1] <= logSigma) low++
  const distance = Math.fround(logSigmas[low] - logSigmas[low + 1])
  const weight = Math.min(Math.max((logSigmas[low] - logSigma) / distance, 0), 1)
  return (1 - weight) * low + weight * (low + 1)
}
