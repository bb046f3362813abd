import { beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { degreesText, factorisations } from '../mesh/factorisations.ts'
import { denoisePart, joined, loadPart, type Pictures, predictEach } from '../support/divided.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const STEPS = 8

const config = (degrees: Degrees): ParallelConfig => ({ ...ON_ONE_DEVICE, degrees })

describe('30 ways to divide work among 8 ranks', () => {
  const captions = random(2 * 8 * 5 * 24)
  /** The first `count` pictures of eight: as many as a mesh can draw at a time. */
  const pictures = (count: number): Pictures => ({
    count,
    height: 12,
    width: 10,
    textLength: 5,
    captions: Float32Array.from([0, 8].flatMap((first) => [...captions.subarray(first * 120, (first + count) * 120)])),
    captionChannels: 24,
    mask: Float32Array.from({ length: 2 * count * 5 }, (_, i) => (i % 5 < 4 ? 1 : 0)),
    channels: 4,
    guidance: 4.5,
  })
  const size = 4 * 12 * 10
  const noise = random(8 * size, 1.7)
  let source: Source
  /** Of one device: latents before each step and the final ones, and the predictions [pictures, steps, values]. */
  let latents: Float32Array[]
  let predictions: Float32Array

  beforeAll(async () => {
    source = randomPixArt()
    const [trace] = await onMesh(config(ONE_RANK), async (rank) => {
      const transformer = await loadPart(rank, source)
      const states: Float32Array[] = [noise]
      await denoisePart(rank, transformer, pictures(8), noise, schedule(STEPS), async (_step, _timestep, progress) => {
        states.push(await progress.latents())
      })
      const guided = await predictEach(rank, transformer, pictures(8), states, schedule(STEPS).timesteps)
      transformer.weights.free()
      return { states, guided: guided! }
    })
    latents = trace.states
    predictions = trace.guided
  })

  it('are 30', () => expect(factorisations(8)).toHaveLength(30))

  it.each(factorisations(8).map((degrees) => [degreesText(degrees), degrees] as const))('%s', async (_, degrees) => {
    const { data } = degrees
    const drawn = pictures(data)
    const of = (all: Float32Array) => all.subarray(0, data * size)
    const { timesteps } = schedule(STEPS)
    // Each step once: where several pictures are drawn, each has its part of the steps.
    const each = STEPS / data
    const steps = Array.from({ length: data }, (_, k) => Array.from({ length: each }, (_, i) => k * each + i))
    const states = Array.from({ length: each }, (_, i) =>
      Float32Array.from(steps.flatMap((own, k) => [...latents[own[i]].subarray(k * size, (k + 1) * size)])),
    )
    const results = await onMesh(config(degrees), async (rank) => {
      const transformer = await loadPart(rank, source)
      const guided = await predictEach(
        rank,
        transformer,
        drawn,
        states,
        steps.map((own) => own.map((step) => timesteps[step])),
      )
      const final = await denoisePart(rank, transformer, drawn, of(noise), schedule(STEPS))
      transformer.weights.free()
      return { guided, final }
    })
    const guided = joined(results.map((rank) => rank.guided))
    expect(guided).toHaveLength(STEPS * size)
    for (const [k, own] of steps.entries())
      for (const step of own) {
        const [at, known] = [step * size, (k * STEPS + step) * size]
        const prediction = guided.subarray(at, at + size)
        expect(relativeL2(prediction, predictions.subarray(known, known + size))).toBeLessThan(1e-5)
      }
    expect(relativeL2(joined(results.map(({ final }) => final)), of(latents[STEPS]))).toBeLessThan(2e-5)
  })
})
