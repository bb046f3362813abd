import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createScheduler } from '../../src/schedulers/index.ts'
import { relativeL2 } from '../support/numbers.ts'
import { sampleSynthetic } from './synthetic_loop.ts'

interface Case {
  config: { _class_name: string }
  steps: number
  set_timesteps: { mu?: number; sigmas?: number[]; timesteps?: number[] }
  step: { eta?: number }
  init_noise_sigma: number
  timesteps: number[]
  sigmas?: number[]
  /** By the index of the step. */
  samples: Record<string, number[]>
}

/** Made by fixtures/schedulers/make.py, with diffusers' own classes. */
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../fixtures/schedulers/cases.json', import.meta.url), 'utf8'),
)
const VALUES = 12

/** Euler steps down from sigma 4096 cancel in diffusers' float32: its first sample is 2.2e-5 from double precision. */
const tolerance = ({ sigmas = [] }: Case): number => (sigmas[0] > 4000 ? 3e-5 : 1e-5)

describe('options beside those of the golden cases, as diffusers computes them', () => {
  it('finds the cases', () => {
    expect(cases.length).toBeGreaterThan(70)
  })

  const title = ({ config: { _class_name, ...options }, steps, set_timesteps, step }: Case) =>
    `${_class_name} ${JSON.stringify({ ...options, ...set_timesteps, ...step })} in ${steps}`
  it.each(cases.map((one): [string, Case] => [title(one), one]))('%s', (_, one) => {
    const scheduler = createScheduler(one.config)
    scheduler.setTimesteps(one.steps, { ...one.set_timesteps, ...one.step })
    const whole = one.timesteps.every(Number.isInteger)
    if (whole) expect(scheduler.timesteps).toEqual(one.timesteps)
    // Fractions come of float32 logarithms, whose last bit depends on the math library; a timestep of 0 has no such.
    else expect(relativeL2(scheduler.timesteps, one.timesteps)).toBeLessThan(2e-7)
    expect(Math.abs(scheduler.initNoiseSigma / one.init_noise_sigma - 1)).toBeLessThan(2e-7)
    if (one.sigmas) {
      const known = one.sigmas.slice(0, one.timesteps.length + 1)
      expect(relativeL2(scheduler.sigmas, known)).toBeLessThan(2e-7)
    }

    const noise = Float32Array.from({ length: VALUES }, (_, k) => Math.sin(0.37 * k * k + 0.2))
    let drawn = 0
    const draw = () => {
      drawn++
      return Float32Array.from({ length: VALUES }, (_, k) => 1.3 * Math.sin(1.7 * drawn + 0.9 * k))
    }
    const { samples } = sampleSynthetic(scheduler, noise, draw)
    for (const [index, expected] of Object.entries(one.samples)) {
      expect(relativeL2(samples[Number(index)], expected)).toBeLessThan(tolerance(one))
    }
  })
})
