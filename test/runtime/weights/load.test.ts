import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Device } from '../../../src/runtime/device.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'
import { type Checkpoint, openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { loadWeights } from '../../../src/runtime/weights/load.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../../src/runtime/weights/parameters.ts'
import { type HostTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors_writer.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import type { Weights } from '../../../src/runtime/weights/weights.ts'
import { random } from '../../support/numbers.ts'
import { expectFailure } from './expect_failure.ts'

const MEMORY = 1 << 20

let device: Device
beforeAll(async () => {
  device = await Device.open(await openPlatform(), { checked: true, memory: MEMORY })
})
afterEach(() => {
  expect(device.weightBytes).toBe(0)
  expect(device.arena.budget).toBe(MEMORY)
})

async function checkpointOf(tensors: Record<string, HostTensor>, wrap = (s: Source) => s): Promise<Checkpoint> {
  const source = memorySource(new Map([['model.safetensors', writeSafetensors(tensors)]]))
  return openCheckpoint(wrap(source), '', 'model')
}

const values = async (weights: Weights, name: string): Promise<number[]> => {
  const tensor = weights.tensor(name)
  return [...new Float32Array(await device.download(tensor.placement!.buffer, tensor.bytes))]
}

const f32 = (shape: number[]): HostTensor => ({ dtype: 'F32', shape, data: random(shape.reduce((a, b) => a * b, 1)) })

describe('stored types', () => {
  it('takes F32 bit for bit', async () => {
    const stored = f32([7, 3])
    const weights = await loadWeights(device, await checkpointOf({ w: stored }), new Parameters().tensor('w', 7, 3))
    expect(await values(weights, 'w')).toEqual([...(stored.data as Float32Array)])
    expect(device.weightBytes).toBe(84)
    weights.free()
  })

  // Every finite half there is with its exact value; an odd count, so the last word is half full.
  it('widens F16 exactly', async () => {
    const bits = Uint16Array.from({ length: 0x7c00 }, (_, i) => i | ((i & 1) << 15)).slice(0, 0x7bff)
    const weights = await loadWeights(
      device,
      await checkpointOf({ w: { dtype: 'F16', shape: [bits.length], data: bits } }),
      new Parameters().tensor('w', bits.length),
    )
    const expected = Array.from(bits, (half) => {
      const [exponent, fraction] = [(half >> 10) & 31, (half & 1023) / 1024]
      const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction
      return half & 0x8000 ? -size : size
    })
    expect(await values(weights, 'w')).toEqual(expected)
    weights.free()
  })

  it('widens BF16 exactly', async () => {
    const bits = new Uint16Array(new Uint32Array(random(201, 100).buffer).map((word) => word >>> 16))
    const weights = await loadWeights(
      device,
      await checkpointOf({ w: { dtype: 'BF16', shape: [3, 67], data: bits } }),
      new Parameters().tensor('w', 3, 67),
    )
    expect(await values(weights, 'w')).toEqual([...new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer)])
    weights.free()
  })
})

describe('a share of a layer', () => {
  const [out, width] = [3, 20]
  const whole = Float32Array.from({ length: out * width }, (_, i) => i + 1)
  const bias = Float32Array.of(1, 2, 3)
  const columns = (...ranges: [first: number, end: number][]) =>
    Array.from({ length: out }, (_, row) =>
      ranges.flatMap(([first, end]) => [...whole.subarray(row * width + first, row * width + end)]),
    ).flat()

  /** What ranks of these speeds load of its weight, and which of them its bias. */
  async function loaded(parameters: Parameters, speeds: number[]) {
    const checkpoint = await checkpointOf({
      'w.weight': { dtype: 'F32', shape: [out, width], data: whole },
      'w.bias': { dtype: 'F32', shape: [out], data: bias },
    })
    const shares: { shape: readonly number[]; values: number[]; bias: boolean }[] = []
    for (const index of speeds.keys()) {
      const share = { tensor: { index, speeds } }
      const weights = await loadWeights(device, checkpoint, parameters, { share, chunkBytes: 28 })
      const { shape } = weights.tensor('w.weight')
      const held = weights.affine('w').bias !== undefined
      shares.push({ shape, values: await values(weights, 'w.weight'), bias: held })
      weights.free()
    }
    return shares
  }

  it('is columns of its input', async () => {
    const parameters = new Parameters().linear('w', out, width, true, { input: 5 })
    expect(await loaded(parameters, [2, 3])).toEqual([
      { shape: [out, 8], values: columns([0, 8]), bias: true },
      { shape: [out, 12], values: columns([8, 20]), bias: false },
    ])
  })

  it('is columns of both halves of an input that is two things side by side, each in units of its own', async () => {
    const input = [
      { size: 12, units: 3 },
      { size: 8, units: 4 },
    ] as const
    const parameters = new Parameters().linear('w', out, width, true, { input })
    expect(await loaded(parameters, [2, 1])).toEqual([
      { shape: [out, 14], values: columns([0, 8], [12, 18]), bias: true },
      { shape: [out, 6], values: columns([8, 12], [18, 20]), bias: false },
    ])
    expect(await loaded(parameters, [1])).toEqual([{ shape: [out, width], values: [...whole], bias: true }])
  })
})

describe('layout', () => {
  it.each(['F32', 'BF16'] as const)('puts the channels of a %s convolution last, across chunks', async (dtype) => {
    const [out, input, window] = [5, 3, 3]
    const count = out * input * window * window
    const whole = Float32Array.from({ length: count }, (_, i) => i + 1) // exact in bfloat16 up to 256
    const data = dtype === 'F32' ? whole : new Uint16Array(new Uint32Array(whole.buffer).map((word) => word >>> 16))
    const weights = await loadWeights(
      device,
      await checkpointOf({
        'conv.weight': { dtype, shape: [out, input, window, window], data },
        'conv.bias': f32([out]),
      }),
      new Parameters().conv('conv', out, input, window),
      { chunkBytes: 28 },
    )
    const expected: number[] = []
    for (let o = 0; o < out; o++)
      for (let tap = 0; tap < window * window; tap++)
        for (let k = 0; k < input; k++) expected.push(whole[(o * input + k) * window * window + tap])
    expect(await values(weights, 'conv.weight')).toEqual(expected)
    expect(weights.affine('conv').weight.shape).toEqual([out, window, window, input])
    weights.free()
  })
})

it('reads in chunks, counts progress and reads only what was asked for', async () => {
  const stored = { 'a.w': f32([1001]), 'b.w': f32([10, 10]), other: f32([50]) }
  const asked: number[] = []
  const checkpoint = await checkpointOf(stored, (source) => ({
    ...source,
    readInto(path, offset, target) {
      asked.push(target.byteLength)
      return source.readInto(path, offset, target)
    },
  }))
  asked.length = 0 // the header
  const progress: [number, number][] = []
  const parameters = new Parameters()
  parameters.at('a').tensor('w', 1001)
  parameters.at('b').tensor('w', 10, 10)
  const weights = await loadWeights(device, checkpoint, parameters, {
    ignore: [/^other$/],
    chunkBytes: 1024,
    onProgress: (...args) => progress.push(args),
  })
  expect(asked).toEqual([1024, 1024, 1024, 932, 400])
  expect(progress).toEqual([
    [4004, 4404],
    [4404, 4404],
  ])
  expect(await values(weights, 'a.w')).toEqual([...stored['a.w'].data] as number[])
  expect(await values(weights.at('b'), 'w')).toEqual([...stored['b.w'].data] as number[])
  weights.free()
})

describe('what cannot be loaded', () => {
  it('lists missing, unexpected and wrongly shaped tensors before it reads any', async () => {
    const checkpoint = await checkpointOf({ a: f32([2, 3]), extra: f32([1]) })
    const parameters = new Parameters().tensor('a', 3, 2).tensor('gone', 4)
    await expectFailure(loadWeights(device, checkpoint, parameters), 'corrupt', 'gone', 'extra', '[2, 3]', '[3, 2]')
  })

  it('frees everything where a file breaks off in the middle', async () => {
    let reads = 0
    const checkpoint = await checkpointOf({ a: f32([64]), b: f32([64]) }, (source) => ({
      ...source,
      readInto(path, offset, target) {
        // two reads of the header, then a, then the first half of b
        if (++reads > 5) return Promise.reject(new Error('the disk is gone'))
        return source.readInto(path, offset, target)
      },
    }))
    const parameters = new Parameters().tensor('a', 64).tensor('b', 64)
    await expect(loadWeights(device, checkpoint, parameters, { chunkBytes: 128 })).rejects.toThrow('the disk is gone')
  })

  it('names the weight that --memory has no room for, and frees the ones before it', async () => {
    const checkpoint = await checkpointOf({ a: f32([1000]), b: f32([MEMORY / 4]) })
    const parameters = new Parameters().tensor('a', 1000).tensor('b', MEMORY / 4)
    await expectFailure(loadWeights(device, checkpoint, parameters), 'out-of-memory', 'weight b', '--memory')
  })

  it('stops between tensors when it is aborted', async () => {
    const checkpoint = await checkpointOf({ a: f32([8]), b: f32([8]) })
    const parameters = new Parameters().tensor('a', 8).tensor('b', 8)
    const signal = AbortSignal.abort()
    await expect(loadWeights(device, checkpoint, parameters, { signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(device.weightBytes).toBe(0)
  })
})
