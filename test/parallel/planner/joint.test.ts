import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import type { Block, Workload } from '../../../src/parallel/cost/bytes.ts'
import { type Degrees, ONE_RANK, sizeOf } from '../../../src/parallel/mesh/mesh.ts'
import { latencyOf } from '../../../src/parallel/planner/latency.ts'
import type { Machine } from '../../../src/parallel/planner/machine.ts'
import { type MemorySizes, memoryOf } from '../../../src/parallel/planner/memory.ts'

// Text and image attend jointly in 12 blocks; the image attends to itself as well in the first four.
const [HEADS, DIM, IMAGE, TEXT, BLOCKS] = [16, 64, 1024, 256, 12]
const WIDTH = HEADS * DIM
const [IMAGE_FLOPS, TEXT_FLOPS] = [24 * WIDTH ** 2, 20 * WIDTH ** 2]
const block = (dual: boolean, last: boolean): Block => ({
  attentions: { image: dual ? 1 : 0, joint: 1 },
  sums: { image: dual ? 3 : 2, text: last ? 0 : 2 },
  flops: { image: IMAGE_FLOPS * (dual ? 2 : 1), text: TEXT_FLOPS },
})
const WORKLOAD: Workload = {
  blocks: Array.from({ length: BLOCKS }, (_, i) => block(i < 4, i + 1 === BLOCKS)),
  textTokens: TEXT,
  heads: HEADS,
  headDim: DIM,
  outputs: 64,
  grid: { rows: 32, columns: 32 },
  pictures: 1,
  guided: false,
  steps: 10,
  latents: { channels: 16, patch: 2 },
  elementBytes: { stream: 4, operand: 2 },
}
const RATE = 1e12
const MACHINE: Machine = { linear: RATE, attention: RATE, perKey: 0, bandwidth: 1e18, latency: 0 }

const config = (degrees: Partial<Degrees>, more: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  ...more,
  degrees: { ...ONE_RANK, ...degrees },
})
const step = (mesh: ParallelConfig, workload = WORKLOAD, machine = MACHINE) => latencyOf(mesh, workload, machine).step

/** FLOP of blocks [first, end) with so many of the image's tokens, whose queries meet all keys; in all heads. */
function flops(first: number, end: number, tokens: number): number {
  let sum = 0
  for (const { attentions, flops } of WORKLOAD.blocks.slice(first, end)) {
    sum += tokens * flops.image + TEXT * flops.text
    sum += 4 * WIDTH * (attentions.image * tokens * IMAGE + attentions.joint * (tokens + TEXT) * (IMAGE + TEXT))
  }
  return sum
}

describe('predicted time of joint attention', () => {
  const whole = flops(0, BLOCKS, IMAGE) / RATE

  it('of one device is that of image and text', () => expect(step(config({}))).toBeCloseTo(whole, 9))

  it('falls with tensor parallelism, which divides the text as well', () =>
    expect(step(config({ tensor: 4 }))).toBeCloseTo(whole / 4, 9))

  it('has all of the text on each rank of a ring', () =>
    expect(step(config({ ring: 4 }))).toBeCloseTo(flops(0, BLOCKS, IMAGE / 4) / RATE, 9))

  it('has all of the text in the linear layers of Ulysses, and a share of it in attention', () => {
    const attention = flops(0, BLOCKS, IMAGE) - linear(IMAGE)
    expect(step(config({ ulysses: 4 }))).toBeCloseTo((linear(IMAGE / 4) + attention / 4) / RATE, 9)

    function linear(tokens: number): number {
      return WORKLOAD.blocks.reduce((sum, { flops }) => sum + tokens * flops.image + TEXT * flops.text, 0)
    }
  })

  it('recomputes the text for every patch, and waits for the stage of the dearest blocks', () => {
    const patches = (first: number, end: number) => (4 * flops(first, end, IMAGE / 4)) / RATE
    expect(step(config({}, { numPipelinePatch: 4 }))).toBeCloseTo(patches(0, BLOCKS), 9)
    // Stages of six blocks: the first has all that are dual.
    expect(step(config({ pipefusion: 2 }, { numPipelinePatch: 4 }))).toBeCloseTo(patches(0, 6), 9)
    const balanced = config({ pipefusion: 2 }, { numPipelinePatch: 4, attnLayerNumForPp: [5, 7] })
    expect(step(balanced)).toBeLessThan(patches(0, 6))
  })

  it('does not divide among tensor-parallel ranks what is whole on each', () => {
    const half = WORKLOAD.blocks.map((one) => ({ ...one, undivided: one.flops.image / 2 }))
    const undivided = half.reduce((sum, one) => sum + IMAGE * one.undivided, 0) / RATE
    const workload = { ...WORKLOAD, blocks: half }
    expect(step(config({}), workload)).toBeCloseTo(whole, 9)
    expect(step(config({ tensor: 4 }), workload)).toBeCloseTo((whole - undivided) / 4 + undivided, 9)
  })

  it('goes through all keys in each attention, however few queries there are', () => {
    const machine = { ...MACHINE, attention: 1e18, perKey: 1e-3 }
    const linear = WORKLOAD.blocks.reduce((sum, { flops }) => sum + IMAGE * flops.image + TEXT * flops.text, 0) / RATE
    expect(step(config({}), WORKLOAD, machine) - linear).toBeCloseTo((4 * IMAGE + BLOCKS * (IMAGE + TEXT)) * 1e-3, 6)
  })

  it('sends the text between stages with one patch of a step', () => {
    const slow = { ...MACHINE, linear: 1e18, attention: 1e18, bandwidth: 1e6 }
    // One patch at a time waits for both borders: a quarter of the image, and a quarter of the text in the mean.
    const mean = ((IMAGE + TEXT) / 4) * WIDTH * 4
    expect(step(config({ pipefusion: 3 }, { numPipelinePatch: 4 }), WORKLOAD, slow)).toBeCloseTo((2 * mean) / 1e6, 3)
  })

  it('counts a message for every attention and every sum', () => {
    const slow = { ...MACHINE, linear: 1e18, attention: 1e18, latency: 1 }
    const [sites, sums] = [16, 12 * 2 + 4 + 11 * 2]
    const noise = 1
    expect(step(config({ ulysses: 2 }), WORKLOAD, slow)).toBeCloseTo(2 * sites + noise, 3)
    expect(step(config({ ring: 2 }), WORKLOAD, slow)).toBeCloseTo(sites + noise, 3)
    expect(step(config({ tensor: 2 }), WORKLOAD, slow)).toBeCloseTo(2 * sums, 3)
  })
})

describe('predicted memory of joint attention', () => {
  const sizes: MemorySizes = {
    transformer: () => 0,
    textEncoder: () => 0,
    autoencoder: () => 0,
    phases: { text: 0, step: 1e9, decode: 0 },
  }
  const terms = (mesh: ParallelConfig) => {
    const speeds = Array<number>(sizeOf(mesh.degrees)).fill(1)
    const { terms } = memoryOf(mesh, WORKLOAD, sizes, speeds)
    return Object.fromEntries(terms.map(({ what, value }) => [what, value]))
  }

  it('has the whole text beside a share of the image', () => {
    const share = (IMAGE / 4 + TEXT) / (IMAGE + TEXT)
    expect(terms(config({ ring: 4 }))['activations of a step']).toBeCloseTo(1e9 * share, 3)
    expect(terms(config({}))['activations of a step']).toBe(1e9)
  })

  it('keeps the keys of every attention, and where the picture has patches the text that entered each block', () => {
    const patched = terms(config({ pipefusion: 2 }, { numPipelinePatch: 4 }))
    // The first stage has the four blocks with two attentions.
    expect(patched['kept keys and values']).toBe(2 * 2 * IMAGE * WIDTH * 10)
    expect(patched['kept text']).toBe(4 * TEXT * WIDTH * 6)
    const stale = terms(config({ ulysses: 2 }, { distrifusion: true }))
    expect(stale['kept keys and values']).toBe(2 * 2 * IMAGE * WIDTH * 16)
    expect(stale['kept text']).toBeUndefined()
    expect(terms(config({ ulysses: 2 }))['kept keys and values']).toBeUndefined()
  })
})
