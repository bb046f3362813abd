import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { createScheduler } from '../../src/schedulers/index.ts'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'

const create = (options: object = {}) => createScheduler({ _class_name: 'DPMSolverMultistepScheduler', ...options })

describe('the full loops of diffusers’ own tests', () => {
  // tests/schedulers/test_scheduler_dpm_multi.py: model(x, t) = x t / (t + 1), 10 steps, mean of |x|.
  it.each([
    [{}, 0.3301],
    [{ prediction_type: 'v_prediction' }, 0.2251],
    [{ prediction_type: 'v_prediction', use_karras_sigmas: true }, 0.2096],
    [{ prediction_type: 'v_prediction', use_lu_lambdas: true }, 0.1554],
  ])('%j', (options, mean) => {
    const scheduler = create({ lower_order_final: false, final_sigmas_type: 'sigma_min', ...options })
    scheduler.setTimesteps(10)
    const start = Float64Array.from({ length: 768 }, (_, i) => i / 768)
    const x = run(scheduler, start, (value, i) => (value * scheduler.timesteps[i]) / (scheduler.timesteps[i] + 1))
    expect(Math.abs(x.reduce((sum, value) => sum + Math.abs(value), 0) / 768 - mean)).toBeLessThan(1e-3)
  })
})

/** The last sample of a scalar model(x, step), element by element, in float64. */
function run(scheduler: Scheduler, start: Float64Array, model: (x: number, index: number) => number): Float64Array {
  let x = start
  const history: Float64Array[] = []
  for (let i = 0; i < scheduler.timesteps.length; i++) {
    const { conv, next } = scheduler.step(i, history.length)
    history.unshift(x.map((value) => conv.sample * value + conv.output * model(value, i)))
    x = x.map((value, k) => next.d.reduce((sum, c, back) => sum + c * history[back][k], next.sample * value))
  }
  return x
}

describe('order of convergence, on Gaussian data whose flow is known', () => {
  const variance = 0.6
  const level = (sigma: number) => ({ alpha: 1 / Math.hypot(1, sigma), sigma: sigma / Math.hypot(1, sigma) })
  const spread = (sigma: number) => Math.sqrt(level(sigma).alpha ** 2 * variance + level(sigma).sigma ** 2)

  function error(options: { prediction_type: string }, steps: number): number {
    const scheduler = create({
      lower_order_final: false,
      final_sigmas_type: 'sigma_min',
      use_lu_lambdas: true,
      ...options,
    })
    scheduler.setTimesteps(steps)
    const model = (x: number, i: number) => {
      const { alpha, sigma } = level(scheduler.sigmas[i])
      const data = (x * alpha * variance) / spread(scheduler.sigmas[i]) ** 2
      const noise = (x - alpha * data) / sigma
      return { sample: data, epsilon: noise, v_prediction: alpha * noise - sigma * data }[options.prediction_type]!
    }
    const exact = spread(scheduler.sigmas[steps]) / spread(scheduler.sigmas[0])
    return Math.abs(run(scheduler, Float64Array.of(1), model)[0] - exact)
  }

  const kinds = ['dpmsolver++', 'dpmsolver'].flatMap((algorithm_type) =>
    ['midpoint', 'heun'].flatMap((solver_type) =>
      [1, 2, 3].flatMap((solver_order) =>
        ['epsilon', 'sample', 'v_prediction'].map((prediction_type) => ({
          algorithm_type,
          solver_type,
          solver_order,
          prediction_type,
        })),
      ),
    ),
  )
  it.each(kinds)('%j', (options) => {
    const rate = Math.log2(error(options, 100) / error(options, 200))
    // The third order of diffusers (and of the paper's code) takes half of its second derivative: it converges as order 2.
    expect(rate).toBeGreaterThan(Math.min(options.solver_order, 2) - 0.02)
    expect(rate).toBeLessThan(Math.min(options.solver_order, 2) + 0.1)
  })
})

describe('the stochastic solvers', () => {
  it.each([1, 2, 3])('sde-dpmsolver++ of order %i keeps mean and variance of known data', (solver_order) => {
    for (const solver_type of ['midpoint', 'heun']) {
      const scheduler = create({
        algorithm_type: 'sde-dpmsolver++',
        solver_order,
        solver_type,
        final_sigmas_type: 'sigma_min',
      })
      scheduler.setTimesteps(20)
      for (let i = 0; i < 20; i++) {
        const [from, to] = [scheduler.sigmas[i], scheduler.sigmas[i + 1]].map((sigma) => Math.hypot(1, sigma))
        const { next } = scheduler.step(i, i)
        const total = next.d.reduce((sum, c) => sum + c, next.sample / from)
        expect(total).toBeCloseTo(1 / to, 6)
        const noise = Math.hypot((next.sample * scheduler.sigmas[i]) / from, next.noise)
        expect(noise).toBeCloseTo(scheduler.sigmas[i + 1] / to, 6)
      }
    }
  })

  it.each(['midpoint', 'heun'])('sde-dpmsolver, %s: the sums of diffusers’ formula', (solver_type) => {
    const scheduler = create({ algorithm_type: 'sde-dpmsolver', solver_type, final_sigmas_type: 'sigma_min' })
    scheduler.setTimesteps(20)
    for (let i = 0; i < 20; i++) {
      const [from, to] = [scheduler.sigmas[i], scheduler.sigmas[i + 1]]
      const growth = from / to // exp(h)
      const sigma = to / Math.hypot(1, to)
      const { next } = scheduler.step(i, i)
      expect(next.sample).toBeCloseTo(Math.hypot(1, from) / Math.hypot(1, to), 9)
      expect(next.d.reduce((sum, c) => sum + c)).toBeCloseTo(-2 * sigma * (growth - 1), 9)
      expect(next.noise).toBeCloseTo(sigma * Math.sqrt(growth ** 2 - 1), 9)
    }
  })
})

describe('schedules', () => {
  it.each([
    [{ timestep_spacing: 'linspace' }, 1, [999]],
    [{ timestep_spacing: 'linspace' }, 3, [999, 666, 333]],
    [{ timestep_spacing: 'linspace' }, 4, [999, 749, 500, 250]],
    [{ timestep_spacing: 'leading', steps_offset: 1 }, 3, [751, 501, 251]],
    [{ timestep_spacing: 'trailing' }, 1, [999]],
    [{ timestep_spacing: 'trailing' }, 3, [999, 666, 332]],
    [{ timestep_spacing: 'trailing' }, 8, [999, 874, 749, 624, 499, 374, 249, 124]],
    [{ use_flow_sigmas: true, prediction_type: 'flow_prediction' }, 1, [999]],
    [{ use_karras_sigmas: true }, 1, [999]],
    [{ use_lu_lambdas: true }, 1, [999]],
  ])('%j in %i steps', (options, steps, timesteps) => {
    const scheduler = create(options)
    scheduler.setTimesteps(steps)
    expect(scheduler.timesteps).toEqual(timesteps)
    expect(scheduler.sigmas.length).toBe(steps + 1)
  })

  it('one step goes straight to the denoised latents', () => {
    const scheduler = create()
    scheduler.setTimesteps(1)
    const { next, order } = scheduler.step(0, 0)
    expect(order).toBe(1)
    expect([next.sample, ...next.d, next.noise]).toEqual([0, 1, 0])
  })

  it('custom timesteps, clipping, zero terminal SNR, exponential sigmas, cosine and given betas', () => {
    const computed = create()
    computed.setTimesteps(10)
    const custom = create()
    custom.setTimesteps(10, { timesteps: computed.timesteps })
    expect(custom.sigmas).toEqual(computed.sigmas)

    const clipped = create({ beta_schedule: 'squaredcos_cap_v2', lambda_min_clipped: -5.1 })
    clipped.setTimesteps(10)
    // log(SNR) / 2 = -5.1 where alpha bar = 3.7e-5: cos(pi/2 (t + 0.008) / 1.008) = 0.0061, t = 0.996.
    expect(clipped.timesteps[0]).toBeGreaterThanOrEqual(994)
    expect(clipped.timesteps[0]).toBeLessThanOrEqual(997)

    const zero = create({ rescale_betas_zero_snr: true, timestep_spacing: 'trailing' })
    zero.setTimesteps(10)
    expect(zero.sigmas[0]).toBeCloseTo(Math.sqrt((1 - 2 ** -24) / 2 ** -24), 2)

    const even = create({ use_exponential_sigmas: true })
    even.setTimesteps(5)
    expect(even.sigmas[1] / even.sigmas[2]).toBeCloseTo(even.sigmas[3] / even.sigmas[4], 4)

    const given = create({ num_train_timesteps: 4, trained_betas: [0.1, 0.2, 0.3, 0.4], timestep_spacing: 'trailing' })
    given.setTimesteps(2)
    expect(given.timesteps).toEqual([3, 1])
    expect(given.sigmas[1]).toBeCloseTo(Math.sqrt(0.28 / 0.72), 6)
  })

  it('mu shifts the flow', () => {
    const options = { use_flow_sigmas: true, prediction_type: 'flow_prediction' }
    const dynamic = create({ ...options, use_dynamic_shifting: true })
    dynamic.setTimesteps(7, { mu: Math.log(3) })
    const fixed = create({ ...options, flow_shift: 3 })
    fixed.setTimesteps(7)
    dynamic.sigmas.forEach((sigma, i) => {
      expect(sigma).toBeCloseTo(fixed.sigmas[i], 6)
    })
  })

  it('a history of its own ramps the order up again', () => {
    const scheduler = create({ solver_order: 3 })
    scheduler.setTimesteps(20)
    expect([0, 1, 2, 3].map((history) => scheduler.step(10, history).order)).toEqual([1, 2, 3, 3])
    expect(scheduler.step(0, 5).order).toBe(1)
    expect(scheduler.step(19, 5).order).toBe(1)
  })
})

describe('what does not fit is refused', () => {
  it.each([
    [{ _class_name: 'PNDMScheduler' }, 'unsupported', 'PNDMScheduler'],
    [{ thresholding: true }, 'unsupported', 'thresholding'],
    [{ solver_order: 4 }, 'bad-argument', 'solver_order is 4'],
    [{ prediction_type: 'velocity' }, 'bad-argument', '"velocity"'],
    [{ beta_schedule: 7 }, 'bad-argument', 'beta_schedule is 7'],
    [{ beta_start: 'x' }, 'bad-argument', 'beta_start is "x"'],
    [{ beta_end: 3 }, 'bad-argument', 'between 0 and 1'],
    [{ lower_order_final: 1 }, 'bad-argument', 'lower_order_final is 1'],
    [{ num_train_timesteps: 1e9 }, 'bad-argument', 'num_train_timesteps is 1000000000'],
    [{ trained_betas: [0.1] }, 'bad-argument', 'trained_betas has 1'],
    [{ variance_type: 'fixed' }, 'bad-argument', 'variance_type'],
    [{ lambda_min_clipped: 99 }, 'bad-argument', 'clips every timestep'],
    [{ algorithm_type: 'dpmsolver' }, 'bad-argument', 'final_sigmas_type zero'],
    [{ use_karras_sigmas: true, use_flow_sigmas: true }, 'bad-argument', 'use_karras_sigmas and use_flow_sigmas'],
  ])('%j', (options, kind, text) => {
    const error = catchError(() => create(options))
    expect(error.kind).toBe(kind)
    expect(error.message).toContain(text)
  })

  it.each([0, -1, 2.5, Number.NaN, 1001, 1000])('%d steps', (steps) => {
    const error = catchError(() => create().setTimesteps(steps))
    expect(error.kind).toBe('bad-argument')
    expect(error.message).toContain(String(steps))
  })

  it('configs that are no objects, steps outside the schedule, options that do not go together', () => {
    for (const config of [null, undefined, 3, 'x', []]) catchError(() => createScheduler(config))
    const scheduler = create()
    expect(catchError(() => scheduler.step(0, 0)).message).toContain('0 steps')
    scheduler.setTimesteps(2)
    expect(catchError(() => scheduler.step(2, 0)).message).toContain('step 2')
    expect(catchError(() => scheduler.setTimesteps(2, { timesteps: [5, 5] })).message).toContain('[5, 5]')
    expect(catchError(() => scheduler.setTimesteps(2, { timesteps: [5] })).message).toContain('for 2 steps')
    expect(catchError(() => scheduler.setTimesteps(2, { mu: 1 })).message).toContain('mu is 1')
    expect(catchError(() => scheduler.setTimesteps(2, { sigmas: [1, 0.5] })).message).toContain('custom sigmas')
  })
})

function catchError(act: () => unknown): DitError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(DitError)
    return error as DitError
  }
  throw new Error('nothing was thrown')
}
