import { beforeAll, describe, it } from 'vitest'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { degreesText } from '../../mesh/factorisations.ts'
import { config, SmallRequest } from './counted.ts'
import { onPaper } from './on_paper.ts'

const one = new SmallRequest({ pictures: 1, steps: 3 })
const three = new SmallRequest({ pictures: 3, steps: 2 })

/** What is sent does not depend on values: methods.test.ts counts on a device that computes, equality.test.ts draws. */
let paper: Device
beforeAll(async () => {
  paper = await onPaper('f32')
})

const ULYSSES = ['ulysses.qkv', 'ulysses.out']
const TENSOR = ['tensor.sum', 'tensor.sum.sum']
const STAGES = ['stage.activations', 'stage.latents']

type Product = readonly [degrees: Partial<Degrees>, rest: Partial<ParallelConfig>, tags: readonly string[]]
const named = (products: readonly Product[]) =>
  products.map(([degrees, rest, tags]) => {
    const name = `${degreesText({ ...ONE_RANK, ...degrees })} ${JSON.stringify(rest)}`
    return [name, config(degrees, rest), tags] as const
  })

describe('several methods together: bytes that the fabric counts and those of the formulas', () => {
  const products: Product[] = [
    [{ ring: 2, ulysses: 3 }, {}, [...ULYSSES, 'ring.kv', 'sp.noise']],
    [{ ring: 3, ulysses: 2 }, {}, [...ULYSSES, 'ring.kv', 'sp.noise']],
    [{ cfg: 2, ulysses: 3 }, {}, [...ULYSSES, 'cfg.noise', 'sp.noise']],
    [{ cfg: 2, ring: 2 }, {}, ['ring.kv', 'cfg.noise', 'sp.noise']],
    // Ten heads are four, three and three; those again two and two, or two and one.
    [{ ulysses: 2, tensor: 3 }, {}, [...ULYSSES, ...TENSOR, 'sp.noise']],
    [{ ring: 2, tensor: 4 }, {}, [...TENSOR, 'ring.kv', 'sp.noise']],
    [{ cfg: 2, tensor: 3 }, {}, [...TENSOR, 'cfg.noise']],
    [{ ulysses: 3, cfg: 2 }, { distrifusion: true }, ['distri.kv', 'cfg.noise', 'sp.noise']],
    [{ ulysses: 2, ring: 2, tensor: 2 }, { distrifusion: true }, [...TENSOR, 'distri.kv', 'sp.noise']],
  ]
  it.each(named(products))('%s', (_, mesh, tags) => one.check(mesh, tags, paper))
})

describe('pipefusion with others', () => {
  // Nine rows in four patches: three, three and three; in two: five and four.
  const products: Product[] = [0, 1, 2].flatMap((warmupSteps): Product[] => [
    [{ pipefusion: 2, ulysses: 2 }, { warmupSteps, numPipelinePatch: 2 }, [...STAGES, ...ULYSSES, 'sp.noise']],
    [{ pipefusion: 3, cfg: 2 }, { warmupSteps, numPipelinePatch: 4 }, [...STAGES, 'cfg.noise']],
    [{ pipefusion: 2, ring: 2 }, { warmupSteps, numPipelinePatch: 2 }, [...STAGES, 'ring.gather', 'sp.noise']],
  ])
  products.push(
    [
      { pipefusion: 2, ring: 2, ulysses: 2 },
      { numPipelinePatch: 2 },
      [...STAGES, ...ULYSSES, 'ring.gather', 'sp.noise'],
    ],
    [{ pipefusion: 2, ring: 2 }, { numPipelinePatch: 1 }, [...STAGES, 'ring.kv', 'sp.noise']],
    [{ pipefusion: 2, ring: 2 }, { numPipelinePatch: 2, warmupSteps: 3 }, [...STAGES, 'ring.kv', 'sp.noise']],
    [{ pipefusion: 2, tensor: 3 }, { numPipelinePatch: 2 }, [...STAGES, ...TENSOR]],
    // Patches without stages: keys are kept all the same.
    [{ ring: 3 }, { numPipelinePatch: 2 }, ['ring.gather', 'sp.noise']],
  )
  it.each(named(products))('%s', (_, mesh, tags) => one.check(mesh, tags, paper))
})

describe('three pictures', () => {
  const products: Product[] = [
    [{ data: 2, ulysses: 2 }, {}, [...ULYSSES, 'sp.noise']],
    [{ data: 2, cfg: 2, tensor: 2 }, {}, [...TENSOR, 'cfg.noise']],
    [{ data: 2, pipefusion: 2 }, { numPipelinePatch: 2 }, STAGES],
    // The fourth crew has none.
    [{ data: 4, ring: 2 }, {}, ['ring.kv', 'sp.noise']],
  ]
  it.each(named(products))('%s', (_, mesh, tags) => three.check(mesh, tags, paper))
})

describe('ranks of different speed', () => {
  const products: Product[] = [
    [{ ring: 2, ulysses: 2 }, { deviceWeights: [1, 2, 3, 5] }, [...ULYSSES, 'ring.kv', 'sp.noise']],
    [{ tensor: 3 }, { deviceWeights: [1, 2, 1] }, TENSOR],
    [{ ulysses: 2, tensor: 2 }, { deviceWeights: [1, 3, 1, 3] }, [...ULYSSES, ...TENSOR, 'sp.noise']],
    [{ pipefusion: 2, ulysses: 2 }, { deviceWeights: [1, 2, 3, 4] }, [...STAGES, ...ULYSSES, 'sp.noise']],
    [{ data: 2, cfg: 2 }, { deviceWeights: [1, 1, 5, 5] }, ['cfg.noise']],
    [{ ring: 3 }, { distrifusion: true, deviceWeights: [1, 2, 3] }, ['distri.kv', 'sp.noise']],
  ]
  it.each(named(products))('%s', (_, mesh, tags) => three.check(mesh, tags, paper))
})
