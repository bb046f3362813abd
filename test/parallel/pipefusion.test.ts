import { beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { denoisePart, joined, loadPart, type Pictures } from '../support/divided.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const STEPS = 3
const SIZE = 4 * 18 * 10
const NOISE = random(2 * SIZE, 1.7)
const pictures = (seed: Float32Array, count = 1): Pictures => ({
  count,
  height: 18,
  width: 10,
  textLength: 5,
  captions: seed,
  captionChannels: 24,
  mask: new Float32Array(2 * count * 5).fill(1),
  channels: 4,
  guidance: 4.5,
})
const PICTURES = pictures(random(2 * 5 * 24))
const OTHERS = pictures(random(2 * 5 * 24))
/** For meshes that draw two at a time. */
const TWO = pictures(random(2 * 2 * 5 * 24), 2)

const config = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  numPipelinePatch: 4,
  ...rest,
  degrees: { ...ONE_RANK, ...degrees },
})

/** Of eight blocks, and of half as many where no more than three stages share them. */
let source: Source
let short: Source
beforeAll(() => {
  source = randomPixArt({ layers: 8 })
  short = randomPixArt({ layers: 4 })
})

/** The final latents of requests one after the other, in one mesh. */
async function run(mesh: ParallelConfig, requests = [PICTURES], model = short): Promise<Float32Array[]> {
  const results = await onMesh(mesh, async (rank) => {
    const part = await loadPart(rank, model)
    const parts: (Float32Array | undefined)[] = []
    for (const request of requests) {
      parts.push(await denoisePart(rank, part, request, NOISE.subarray(0, request.count * SIZE), schedule(STEPS)))
    }
    part.weights.free()
    return parts
  })
  return requests.map((_, i) => joined(results.map((parts) => parts[i])))
}

describe('PipeFusion', () => {
  it('gives the same values whatever the number of stages', async () => {
    const drawn = async (mesh: ParallelConfig) => (await run(mesh, [PICTURES], source))[0]
    const one = await drawn(config({ pipefusion: 1 }))
    for (const pipefusion of [2, 4, 8]) expect(await drawn(config({ pipefusion }))).toEqual(one)
    expect(await drawn(config({ pipefusion: 3 }, { attnLayerNumForPp: [5, 1, 2] }))).toEqual(one)
    const plain = await drawn(config({}, { numPipelinePatch: 1 }))
    expect(relativeL2(one, plain)).toBeGreaterThan(2e-4) // else the above would say nothing of stale keys
  })

  it('equals one device where all steps are warm-up', async () => {
    const [plain] = await run(config({}, { numPipelinePatch: 1 }))
    for (const mesh of [
      config({ pipefusion: 2 }, { warmupSteps: STEPS }),
      config({ pipefusion: 4 }, { warmupSteps: 9 }),
    ]) {
      expect(relativeL2((await run(mesh))[0], plain)).toBeLessThan(1e-5)
    }
  })

  /** What the patches of these pictures give on one device. */
  const alone = new Map<string, Promise<Float32Array[]>>()
  const runAlone = (drawn: Pictures, warmupSteps: number) => {
    const key = `${drawn.count} ${warmupSteps}`
    const known = alone.get(key) ?? run(config({}, { warmupSteps }), [drawn])
    alone.set(key, known)
    return known
  }
  const products: Partial<Degrees>[] = [
    { pipefusion: 2, ulysses: 2 },
    { pipefusion: 2, ring: 2 },
    { pipefusion: 2, ulysses: 2, ring: 2 },
    { pipefusion: 2, cfg: 2, data: 2 },
    { pipefusion: 3, ring: 3 },
    { pipefusion: 2, cfg: 2, ulysses: 2 },
    { pipefusion: 2, tensor: 2, ring: 2 },
  ]
  it.each(products.map((degrees) => [degreesText({ ...ONE_RANK, ...degrees }), degrees] as const))(
    'gives what its patches give by themselves: %s',
    async (_, degrees) => {
      const drawn = degrees.data ? TWO : PICTURES
      for (const warmupSteps of [0, 1]) {
        const [one] = await runAlone(drawn, warmupSteps)
        const [divided] = await run(config(degrees, { warmupSteps }), [drawn])
        expect(relativeL2(divided, one)).toBeLessThan(1e-5)
      }
    },
  )

  it('keeps nothing of one request for the next', async () => {
    // Without a step of warm-up, which would replace what is left.
    const mesh = config({ pipefusion: 2, ulysses: 2 }, { warmupSteps: 0 })
    const [, after] = await run(mesh, [OTHERS, PICTURES])
    const [fresh] = await run(mesh)
    expect(after).toEqual(fresh)
  })
})

describe('DistriFusion', () => {
  const distri = (degrees: Partial<Degrees>, warmupSteps: number) =>
    config(degrees, { distrifusion: true, numPipelinePatch: 1, warmupSteps })

  it('equals one device where all steps are warm-up', async () => {
    const [plain] = await run(config({}, { numPipelinePatch: 1 }))
    expect(relativeL2((await run(distri({ ulysses: 3 }, STEPS)))[0], plain)).toBeLessThan(1e-5)
    expect(relativeL2((await run(distri({ ulysses: 3 }, 1)))[0], plain)).toBeGreaterThan(2e-4)
  })

  it('does not care how its ranks are called, and goes with other axes', async () => {
    const [ulysses] = await run(distri({ ulysses: 4 }, 1))
    for (const degrees of [{ ring: 4 }, { ring: 2, ulysses: 2 }, { ulysses: 4, cfg: 2 }]) {
      expect(relativeL2((await run(distri(degrees, 1)))[0], ulysses)).toBeLessThan(1e-5)
    }
  })

  it('keeps nothing of one request for the next', async () => {
    const [, after] = await run(distri({ ulysses: 2 }, 0), [OTHERS, PICTURES])
    expect(after).toEqual((await run(distri({ ulysses: 2 }, 0)))[0])
  })
})
