import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FlowMatchEulerDiscreteScheduler } from '../../src/schedulers/flow_match_euler_discrete.ts'
import { type GoldenTensor, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

interface Case {
  readonly config: Record<string, unknown>
  readonly steps: number
  readonly mu: number | null
  readonly begin: number
}

const path = (name: string) => fileURLToPath(new URL(`../fixtures/image_to_image/${name}`, import.meta.url))
const cases: Case[] = JSON.parse(readFileSync(path('schedules.json'), 'utf8'))
const tensors = loadSafetensors(path('schedules.safetensors'))
const floats = ({ data }: GoldenTensor) => data as Float32Array

describe('FlowMatchEulerDiscreteScheduler from a begin index on', () => {
  it.each(cases.map((one, i) => [i, one] as const))('steps as diffusers does: case %i, %o', (i, one) => {
    const [sample, noise, output, timesteps, states] = ['sample', 'noise', 'output', 'timesteps', 'states'].map(
      (name) => floats(tensors[`${i}.${name}`]),
    )
    const scheduler = new FlowMatchEulerDiscreteScheduler(one.config)
    scheduler.setTimesteps(one.steps, { mu: one.mu ?? undefined })
    scheduler.beginAt(one.begin)
    expect(scheduler.timesteps).toHaveLength(one.steps - one.begin)
    expect(relativeL2(Float32Array.from(scheduler.timesteps), timesteps)).toBeLessThan(1e-6)

    const state = (k: number) => states.subarray(k * sample.length, (k + 1) * sample.length)
    let x = scheduler.scaleNoise(sample, noise)
    expect(relativeL2(x, state(0))).toBeLessThan(1e-6)
    for (let k = 0; k < scheduler.timesteps.length; k++) {
      const { next } = scheduler.step(k)
      x = x.map((value, j) => next.sample * value + next.output * output[j])
      expect(relativeL2(x, state(k + 1))).toBeLessThan(1e-6)
    }
  })

  it('starts anew with another schedule, and has no step behind its last', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler({})
    scheduler.setTimesteps(4)
    expect(() => scheduler.beginAt(4)).toThrow(/step 4 of a schedule of 4 steps/)
    scheduler.beginAt(3)
    expect(scheduler.sigmas).toHaveLength(2)
    scheduler.setTimesteps(4)
    expect(scheduler.timesteps).toHaveLength(4)
  })
})
