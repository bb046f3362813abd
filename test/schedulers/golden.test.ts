import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createScheduler } from '../../src/schedulers/index.ts'
import { GOLDEN, loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { sampleSynthetic } from './synthetic_loop.ts'

const cases = readdirSync(GOLDEN).filter((name) => name.startsWith('scheduler_'))

it('finds the cases', () => {
  expect(cases.length).toBe(16)
})

describe.each(cases)('%s', (name) => {
  const golden = loadGolden(name)
  const floats = (key: string) => golden[key].data as Float32Array
  const scheduler = createScheduler(loadGoldenJson(name, 'scheduler_config.json'))
  const { call, init_noise_sigma } = loadGoldenJson(name).runs.main
  const { num_inference_steps: steps, mu, sigmas } = call.set_timesteps
  scheduler.setTimesteps(steps.value, { mu: mu?.value, sigmas: sigmas?.value, eta: call.step.eta?.value })

  it('timesteps and the first deviation are equal', () => {
    const expected = [...golden['output.timesteps'].data].map(Number)
    // Those of Karras sigmas are interpolated in float32 logarithms, whose last bit depends on the CPU's vector library.
    if (name === 'scheduler_euler_karras') expect(relativeL2(scheduler.timesteps, expected)).toBeLessThan(1e-7)
    else expect(scheduler.timesteps).toEqual(expected)
    expect(scheduler.initNoiseSigma).toBe(init_noise_sigma)
  })

  it('sigmas agree', () => {
    if (!golden['output.sigmas']) return expect(scheduler.sigmas).toEqual([])
    expect(relativeL2(scheduler.sigmas, floats('output.sigmas'))).toBeLessThan(1e-7)
  })

  it('the latents and the predicted data after each step agree', () => {
    const noise = floats('input.noise')
    const fresh = golden['input.step_noise'] ? floats('input.step_noise') : new Float32Array()
    let drawn = 0
    const draw = () => fresh.subarray(drawn++ * noise.length, drawn * noise.length)
    const { samples, denoised } = sampleSynthetic(scheduler, noise, draw)
    const agree = (actual: Float32Array[], key: string) =>
      actual.forEach((x, i) => {
        const want = floats(key).subarray(i * noise.length, (i + 1) * noise.length)
        expect(relativeL2(x, want)).toBeLessThan(1e-6)
      })
    agree(samples, 'output.samples')
    if (golden['inter.pred_original_sample']) agree(denoised, 'inter.pred_original_sample')
    expect(drawn * noise.length).toBe(fresh.length)
  })
})
