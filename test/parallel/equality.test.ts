import { beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { degreesText, factorisations } from '../mesh/factorisations.ts'
import { denoisePart, denoiseParts, joined, loadPart, type Pictures, predictionAt } from '../support/divided.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const STEPS = 8

const config = (degrees: Degrees): ParallelConfig => ({ ...ON_ONE_DEVICE, degrees })

/** The prediction of each step, from these latents. */
const each = (states: readonly Float32Array[]) =>
  Array.from(schedule(STEPS).timesteps, (timestep, i) => ({ latents: states[i], scheduler: predictionAt(timestep) }))

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
  /** Of one device: latents before each step, the predictions there, and the final latents. */
  let latents: Float32Array[]
  let predictions: Float32Array[]

  beforeAll(async () => {
    source = randomPixArt()
    const [trace] = await onMesh(config(ONE_RANK), async (rank) => {
      const transformer = await loadPart(rank, source)
      const states: Float32Array[] = [noise]
      await denoisePart(rank, transformer, pictures(8), noise, schedule(STEPS), async (_step, _timestep, progress) => {
        states.push(await progress.latents())
      })
      const guided = await denoiseParts(rank, transformer, pictures(8), each(states))
      transformer.weights.free()
      return { states, guided: guided as Float32Array[] }
    })
    latents = trace.states
    predictions = trace.guided
  })

  it('are 30', () => expect(factorisations(8)).toHaveLength(30))

  it.each(factorisations(8).map((degrees) => [degreesText(degrees), degrees] as const))('%s', async (_, degrees) => {
    const drawn = pictures(degrees.data)
    const of = (all: Float32Array) => all.subarray(0, degrees.data * size)
    const results = await onMesh(config(degrees), async (rank) => {
      const transformer = await loadPart(rank, source)
      const free = { latents: of(noise), scheduler: schedule(STEPS) }
      const all = await denoiseParts(rank, transformer, drawn, [...each(latents.map(of)), free])
      transformer.weights.free()
      return { guided: all.slice(0, -1), final: all.at(-1) }
    })
    for (let i = 0; i < STEPS; i++) {
      expect(relativeL2(joined(results.map(({ guided }) => guided[i])), of(predictions[i]))).toBeLessThan(1e-5)
    }
    expect(relativeL2(joined(results.map(({ final }) => final)), of(latents[STEPS]))).toBeLessThan(2e-5)
  })
})
