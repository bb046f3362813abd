import type { Algorithm, Prediction, SolverType } from './dpmsolver_config.ts'
import type { StepPlan } from './scheduler.ts'

/** A point of the schedule: x = alpha * data + sigma * noise. */
export interface NoiseLevel {
  alpha: number
  sigma: number
}

/**
 * Network output to what the solver integrates: the data (dpmsolver++) or the noise (dpmsolver), at noise level `at`.
 * diffusers: `convert_model_output`.
 */
export function conversion(algorithm: Algorithm, prediction: Prediction, at: NoiseLevel): StepPlan['conv'] {
  const { alpha, sigma } = at
  if (algorithm.endsWith('++')) {
    switch (prediction) {
      case 'epsilon':
        return { sample: 1 / alpha, output: -sigma / alpha }
      case 'sample':
        return { sample: 0, output: 1 }
      case 'v_prediction':
        return { sample: alpha, output: -sigma }
      case 'flow_prediction':
        return { sample: 1, output: -sigma }
    }
  }
  if (prediction === 'sample') return { sample: 1 / sigma, output: -alpha / sigma }
  if (prediction === 'v_prediction') return { sample: sigma, output: alpha }
  return { sample: 0, output: 1 }
}

/**
 * The step from `levels[0]` to `next`; `levels[1]`, `levels[2]`: one and two steps before, as many as the order needs.
 * Lu et al. 2022 (DPM-Solver, DPM-Solver++), multistep; diffusers: `dpm_solver_first_order_update` and the two others.
 */
export function update(
  algorithm: Algorithm,
  solverType: SolverType,
  next: NoiseLevel,
  levels: readonly NoiseLevel[],
): StepPlan['next'] {
  const [lambda, ...lambdas] = [next, ...levels].map(({ alpha, sigma }) => Math.log(alpha) - Math.log(sigma))
  const h = lambda - lambdas[0]
  const series = exponentialSeries(algorithm, next, levels[0], h)
  // A step of no length, as the last one of Karras sigmas to sigma_min, leaves the sample as it is.
  if (levels.length === 1 || h === 0) return { sample: series.sample, output: 0, d: [series.c0], noise: series.noise }

  // D1 = (d0 - d1) / r0 and its like for the pair before estimate derivatives: collected here by d0, d1, d2.
  const r0 = (lambdas[0] - lambdas[1]) / h
  if (levels.length === 2) {
    const c1 = (solverType === 'midpoint' ? series.c0 / 2 : series.c1) / r0
    return { sample: series.sample, output: 0, d: [series.c0 + c1, -c1], noise: series.noise }
  }
  const r1 = (lambdas[1] - lambdas[2]) / h
  const bend = (series.c1 * r0 + series.c2) / (r0 + r1)
  const late = (series.c1 + bend) / r0
  const early = bend / r1
  return { sample: series.sample, output: 0, d: [series.c0 + late, -late - early, early], noise: series.noise }
}

/** Coefficients of the sample, of the solution's Taylor terms D0, D1, D2, and of fresh noise. */
function exponentialSeries(algorithm: Algorithm, { alpha, sigma }: NoiseLevel, from: NoiseLevel, h: number) {
  switch (algorithm) {
    case 'dpmsolver++': {
      const e = Math.expm1(-h)
      return {
        sample: sigma / from.sigma,
        c0: -alpha * e,
        c1: alpha * (e / h + 1),
        c2: -alpha * ((e + h) / h ** 2 - 0.5),
        noise: 0,
      }
    }
    case 'dpmsolver': {
      const e = Math.expm1(h)
      return {
        sample: alpha / from.alpha,
        c0: -sigma * e,
        c1: -sigma * (e / h - 1),
        c2: -sigma * ((e - h) / h ** 2 - 0.5),
        noise: 0,
      }
    }
    case 'sde-dpmsolver++': {
      const e = -Math.expm1(-2 * h)
      return {
        sample: (sigma / from.sigma) * Math.exp(-h),
        c0: alpha * e,
        c1: alpha * (e / (-2 * h) + 1),
        c2: alpha * ((e - 2 * h) / (2 * h) ** 2 - 0.5),
        noise: sigma * Math.sqrt(e),
      }
    }
    case 'sde-dpmsolver': {
      const e = Math.expm1(h)
      return {
        sample: alpha / from.alpha,
        c0: -2 * sigma * e,
        c1: -2 * sigma * (e / h - 1),
        c2: 0, // the class has no third order of it
        noise: sigma * Math.sqrt(Math.expm1(2 * h)),
      }
    }
  }
}
