import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Device } from '../../../src/runtime/device.ts'
import { add } from '../../../src/runtime/ops/index.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../src/runtime/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { prepareWeights } from '../../../src/runtime/weights/load.ts'
import { addedTo } from '../../../src/runtime/weights/low_rank.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../../src/runtime/weights/parameters.ts'
import { type HostTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors_writer.ts'
import { failure } from '../../support/failure.ts'
import { random } from '../../support/numbers.ts'

const BLOCKS = 5
/** Of a matrix: above a part of the staging, so that a block comes in several. */
const SIDE = 48

let device: Device
beforeAll(async () => {
  device = await Device.open(await openPlatform(), { checked: true, tier: 'f32' })
})
afterEach(() => expect(device.weightBytes).toBe(0))

const parameters = new Parameters().tensor('before', 3)
const tensors: Record<string, HostTensor> = { before: { dtype: 'F32', shape: [3], data: random(3) } }
for (let i = 0; i < BLOCKS; i++) {
  // The first block is the smallest.
  const rows = i === 0 ? 8 : SIDE
  parameters.at('blocks').at(i).of(i).linear('up', rows, SIDE)
  tensors[`blocks.${i}.up.weight`] = { dtype: 'F32', shape: [rows, SIDE], data: random(rows * SIDE) }
  tensors[`blocks.${i}.up.bias`] = { dtype: 'F32', shape: [rows], data: random(rows) }
}

async function prepared(wrap = (checkpoint: Checkpoint) => checkpoint) {
  const source = memorySource(new Map([['model.safetensors', writeSafetensors(tensors)]]))
  const checkpoint = await openCheckpoint(source, '', 'model')
  return prepareWeights(device, wrap(checkpoint), parameters, { streamed: true })
}

/** Twice the matrices of these blocks, asked for one right after the other; what they hold is looked at when all ran. */
async function doubled({ weights }: Awaited<ReturnType<typeof prepared>>, blocks: readonly number[]) {
  const g = new Recorder(device)
  const results: Tensor[] = []
  for (const i of blocks) {
    const block = weights.at('blocks').at(i)
    results.push(await block.using(g, async (own) => add(g, own.tensor('up.weight'), own.tensor('up.weight'))))
  }
  const values: Float32Array[] = []
  for (const result of results) values.push(await g.read(result))
  g.reset()
  return values
}

const expected = (blocks: readonly number[]) =>
  blocks.map((i) => (tensors[`blocks.${i}.up.weight`].data as Float32Array).map((value) => 2 * value))

describe('blocks on the host', () => {
  it.each([[[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]], [[0, 0, 1, 2, 0, 0]], [[3, 1, 4, 2, 2, 0, 3]], [[4, 3, 2, 1, 0]]])(
    'come in any order, each in time: %j',
    async (order) => {
      const part = await prepared()
      await part.load()
      expect(device.weightBytes).toBe(part.weights.bytes)
      expect(part.weights.bytes).toBeLessThan(0.6 * part.weights.hostBytes)
      expect(await doubled(part, order)).toEqual(expected(order))
      part.weights.dispose()
    },
  )

  it('stay there when the device is freed, in the midst of an upload as well, until they are disposed of', async () => {
    const read: string[] = []
    const part = await prepared((checkpoint) => ({
      ...checkpoint,
      readInto: (name, at, target) => {
        read.push(name)
        return checkpoint.readInto(name, at, target)
      },
    }))
    await part.load()
    expect(new Set(read).size).toBe(1 + 2 * BLOCKS)
    for (let turn = 0; turn < 3; turn++) {
      read.length = 0
      await doubled(part, [0, 1, 2])
      part.weights.free()
      expect(device.weightBytes).toBe(0)
      await part.load()
      expect(read).toEqual(['before'])
    }
    expect(await doubled(part, [1, 2])).toEqual(expected([1, 2]))
    part.weights.dispose()
    read.length = 0
    await part.load()
    expect(new Set(read).size).toBe(1 + 2 * BLOCKS)
    part.weights.dispose()
  })

  it('are read anew where what is added to them has changed, at once or with the next load', async () => {
    const additions = { current: new Map() }
    const part = await prepared((checkpoint) => addedTo(checkpoint, additions))
    const name = 'blocks.3.up.weight'
    const [up, down] = [new Float32Array(SIDE).fill(1), new Float32Array(SIDE).fill(0.5)]
    const changed = async (on: boolean) => {
      additions.current = new Map(on ? [[name, async () => ({ rank: 1, up, down })]] : [])
      await part.reload(new Set([name]))
    }
    const plain = expected([3])[0]
    const added = (tensors[name].data as Float32Array).map((value) => 2 * Math.fround(value + 0.5))
    await changed(true)
    await part.load()
    expect(await doubled(part, [2, 3])).toEqual([expected([2])[0], added])
    await changed(false)
    expect(await doubled(part, [3, 2])).toEqual([plain, expected([2])[0]])
    part.weights.free()
    await changed(true)
    expect(device.weightBytes).toBe(0)
    await part.load()
    expect(await doubled(part, [3])).toEqual([added])

    // A failure leaves nothing that anybody would take for one or the other.
    additions.current = new Map([['blocks.1.up.weight', () => Promise.reject(new Error('gone'))]])
    expect((await failure(part.reload(new Set(['blocks.1.up.weight', name])))).message).toBe('gone')
    expect((await failure(doubled(part, [3]))).message).toContain('blocks.3')
    additions.current = new Map()
    await part.reload(new Set([name]))
    expect(await doubled(part, [1, 3])).toEqual([expected([1])[0], plain])
    part.weights.dispose()
  })

  it('go on where a load was aborted, and are not asked for before', async () => {
    const part = await prepared()
    const stop = new AbortController()
    const onProgress = (done: number, total: number) => done > total / 2 && stop.abort()
    const error = await failure(part.load({ onProgress, signal: stop.signal }))
    expect(error.kind).toBe('aborted')
    expect(device.weightBytes).toBe(0)
    expect((await failure(doubled(part, [0]))).message).toContain('blocks.0')
    await part.load()
    expect(await doubled(part, [0, 1, 2, 3, 4])).toEqual(expected([0, 1, 2, 3, 4]))
    part.weights.dispose()
  })
})
