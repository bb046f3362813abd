import { describe, expect, it } from 'vitest'
import { configFlags } from '../../../src/parallel/config/config_flags.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { type Block, bytesSent, type Workload } from '../../../src/parallel/cost/bytes.ts'
import { type Degrees, ONE_RANK, sizeOf } from '../../../src/parallel/mesh/mesh.ts'
import { latencyOf } from '../../../src/parallel/planner/latency.ts'
import { type Machine, sum } from '../../../src/parallel/planner/machine.ts'
import { type PlanInputs, planMesh, rankMeshes } from '../../../src/parallel/planner/rank_meshes.ts'

const GRID = { rows: 64, columns: 64 }
const BLOCK: Block = {
  attentions: { image: 1, joint: 0 },
  sums: { image: 3, text: 0 },
  flops: { image: 28 * 1152 ** 2, text: 0 },
}
const blocks = (count: number): Block[] => Array(count).fill(BLOCK)
const WORKLOAD: Workload = {
  blocks: blocks(28),
  heads: 16,
  headDim: 72,
  passesOfText: 1,
  outputs: 32,
  grid: GRID,
  pictures: 1,
  guided: true,
  steps: 20,
  latents: { channels: 4, patch: 2 },
  weights: () => Array<number>(28).fill(32 * 2 ** 20),
  elementBytes: { stream: 4, operand: 2 },
}
const FAST_LINKS: Machine = { linear: 1e13, attention: 1e13, perKey: 0, bandwidth: 1e18, latency: 0 }
const SLOW_LINKS: Machine = { linear: 1e13, attention: 1e13, perKey: 0, bandwidth: 2e7, latency: 1e-3 }

const inputs = (machine: Machine, more: Partial<Workload> = {}): PlanInputs => {
  const workload = { ...WORKLOAD, ...more }
  const { heads, pictures, steps } = workload
  return {
    workload,
    machine,
    facts: {
      blocks: workload.blocks.length,
      heads,
      ...GRID,
      guided: true,
      guidanceScale: 4.5,
      tiling: false,
      pictures,
      steps,
    },
    sizes: {
      transformer: ({ mesh }) => 1e9 / mesh.degree('tensor') / mesh.degree('pipefusion'),
      textEncoder: () => 5e9,
      autoencoder: () => 2e8,
      phases: { text: 1e8, step: 8e8, decode: 2e9 },
    },
  }
}
const config = (degrees: Partial<Degrees>, more: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  numPipelinePatch: degrees.pipefusion ?? 1,
  ...more,
  degrees: { ...ONE_RANK, ...degrees },
})
const planned = (degrees: Partial<Degrees>, machine: Machine, more: Partial<Workload> = {}) =>
  planMesh(config(degrees), inputs(machine, more))
const one = planned({}, FAST_LINKS)

describe('predicted time', () => {
  it('of one device is its work by its speed', () => {
    const flops = 2 * 28 * (4096 * 28 * 1152 ** 2 + 4096 ** 2 * 4 * 1152)
    expect(one.step).toBeCloseTo(flops / 1e13, 9)
    expect(one.denoising).toBeCloseTo(20 * one.step, 9)
    expect(one.bytes).toBe(0)
  })

  it.each([
    [{ ulysses: 4 }],
    [{ ring: 4 }],
    [{ tensor: 4 }],
    [{ cfg: 2, ulysses: 2 }],
    [{ ring: 2, tensor: 2 }],
  ] as Partial<Degrees>[][])('of %j over links that cost nothing is the work shared', (degrees) => {
    const mesh = planned(degrees, FAST_LINKS)
    expect(mesh.step).toBeCloseTo(one.step / 4, 6)
    expect(sum(mesh.terms)).toBeCloseTo(mesh.step, 9)
    expect(mesh.exact).toBe(true)
  })

  it('of PipeFusion is the slowest stage, once the pipeline is full, and whole pictures in its warm-up', () => {
    const mesh = planned({ pipefusion: 4 }, FAST_LINKS)
    expect(mesh.exact).toBe(false)
    expect(mesh.step).toBeCloseTo(one.step / 4, 6)
    const fill = (3 / 4) * mesh.step
    expect(mesh.denoising).toBeCloseTo(one.step + 19 * mesh.step + fill, 6)
    // 28 blocks do not come out even on 5 stages.
    expect(planned({ pipefusion: 5 }, FAST_LINKS).step).toBeCloseTo((one.step * 6) / 28, 6)
  })

  it('grows with shares that do not come out even', () => {
    const even = planned({ ulysses: 4 }, FAST_LINKS)
    const uneven = planned({ ulysses: 5 }, FAST_LINKS) // 16 heads: four have 3, one has 4
    expect(uneven.step).toBeGreaterThan((even.step * 4) / 5)
    expect(uneven.step).toBeLessThan(even.step)
  })

  it('knows that few queries take as long as the keys they go through', () => {
    const machine = { ...FAST_LINKS, perKey: 1e-6 }
    const step = (patches: number) => planMesh(config({}, { numPipelinePatch: patches }), inputs(machine)).step
    // Linear layers do not mind patches; attention goes through all keys for each.
    const linear = (2 * 28 * 4096 * 28 * 1152 ** 2) / 1e13
    expect(step(64) - linear).toBeCloseTo(64 * 28 * 4096 * 1e-6, 6)
  })

  it('follows the speeds of the devices', () => {
    const even = planMesh(config({ ring: 2 }), { ...inputs(FAST_LINKS), speeds: [1, 1] })
    const slower = planMesh(config({ ring: 2 }), { ...inputs(FAST_LINKS), speeds: [1, 1 / 3] })
    // Three quarters of the tokens go to the fast one.
    expect(slower.step / even.step).toBeCloseTo(1.5, 1)
  })

  it('counts what goes over the links, but not what goes beside computing', () => {
    const link = { ...FAST_LINKS, bandwidth: 5e9 }
    const ulysses = planned({ ulysses: 2 }, link)
    const { terms } = ulysses
    const sent = terms.find(({ what }) => what === 'ulysses')!.value
    expect(sent).toBeCloseTo(ulysses.bytes / 5e9, 3)
    const ring = planned({ ring: 2 }, link)
    expect(ring.terms.find(({ what }) => what.startsWith('ring'))!.value).toBe(0)
    // Where the link is slow, what attention does not hide is left.
    const slow = planned({ ring: 2 }, SLOW_LINKS)
    expect(slow.terms.find(({ what }) => what.startsWith('ring'))!.value).toBeGreaterThan(1)
  })

  it('stands on the bytes that the fabric counts', () => {
    for (const degrees of [{ ulysses: 2 }, { ring: 3 }, { pipefusion: 2, cfg: 2 }, { tensor: 2 }]) {
      const mesh = config(degrees)
      const sent = bytesSent(mesh, WORKLOAD).map((tags) => [...tags.values()].reduce((a, b) => a + b, 0))
      expect(latencyOf(mesh, WORKLOAD, FAST_LINKS).bytes).toBeCloseTo(Math.max(...sent) / 20, 6)
    }
  })
})

describe('meshes by rank', () => {
  it('prefer what sends little over slow links, and say what draws the picture of one device', () => {
    const [best, ...others] = rankMeshes(4, ON_ONE_DEVICE, inputs(SLOW_LINKS))
    expect(best.config.degrees.cfg * best.config.degrees.pipefusion).toBe(4)
    const names = [best, ...others].map(({ config: mesh }) => configFlags(mesh))
    expect(names.indexOf('--tensor_parallel_degree 4')).toBeGreaterThan(names.indexOf('--ulysses_degree 4'))
    expect(names.indexOf('--ulysses_degree 4')).toBeGreaterThan(names.indexOf('--pipefusion_parallel_degree 4'))
    for (const mesh of [best, ...others]) expect(mesh.exact).toBe(mesh.config.numPipelinePatch === 1)
  })

  it('are all products of the axes, each once, for any number of devices', () => {
    for (const devices of [1, 2, 3, 5, 6, 7, 8]) {
      const meshes = rankMeshes(devices, ON_ONE_DEVICE, inputs(FAST_LINKS, { pictures: 2 }))
      const names = meshes.map(({ config: mesh }) => configFlags(mesh))
      expect(new Set(names).size).toBe(names.length)
      for (const { config: mesh } of meshes) expect(sizeOf(mesh.degrees)).toBe(devices)
    }
    const eight = rankMeshes(8, ON_ONE_DEVICE, inputs(FAST_LINKS, { pictures: 2 }))
    const products = new Set(eight.map(({ config: mesh }) => JSON.stringify(mesh.degrees)))
    const count = (left: number, axes: number): number =>
      axes === 1 ? 1 : [1, 2, 4, 8].filter((d) => left % d === 0).reduce((n, d) => n + count(left / d, axes - 1), 0)
    expect(products.size).toBe(count(8, 4) + 2 * count(4, 4) + count(2, 4))
  })

  it('put those first that fit', () => {
    const machine = { ...FAST_LINKS, memory: 7.7e9 }
    const meshes = rankMeshes(4, ON_ONE_DEVICE, inputs(machine))
    const fitting = meshes.map(({ fits }) => fits)
    expect(fitting).toContain(true)
    expect(fitting).toContain(false)
    expect(fitting.lastIndexOf(true)).toBeLessThan(fitting.indexOf(false))
    for (const { memory, fits } of meshes) expect(fits).toBe(memory.bytes <= 7.7e9)
  })

  it('know that stages have less weights and their own keys', () => {
    const pipefusion = planned({ pipefusion: 4 }, FAST_LINKS).memory
    const ulysses = planned({ ulysses: 4 }, FAST_LINKS).memory
    const of = (memory: typeof ulysses, what: string) => memory.terms.find((term) => term.what === what)?.value
    expect(of(pipefusion, 'weights of the transformer')).toBe(2.5e8)
    expect(of(ulysses, 'weights of the transformer')).toBe(1e9)
    // k and v in f16 of 7 blocks, for both branches.
    expect(of(pipefusion, 'kept keys and values')).toBe(2 * 2 * 2 * 4096 * 1152 * 7)
    expect(of(ulysses, 'kept keys and values')).toBeUndefined()
  })

  it('are none where there is nothing to divide', () => {
    const tiny = inputs(FAST_LINKS, { blocks: blocks(1), heads: 1 })
    const facts = { ...tiny.facts, rows: 2, columns: 1 }
    expect(() => rankMeshes(64, ON_ONE_DEVICE, { ...tiny, facts })).toThrow(/64 devices: nothing divides/)
  })
})
