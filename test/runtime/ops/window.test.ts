import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { copyRows, join, narrow, place } from '../../../src/runtime/ops/index.ts'
import type { Recorder } from '../../../src/runtime/recorder.ts'
import { BYTES_PER_ELEMENT, type DType, type Tensor } from '../../../src/runtime/tensor.ts'
import { testRecorder } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'

let g: Recorder
beforeAll(async () => {
  g = await testRecorder()
})
afterEach(() => g.reset())

/** What tensors hold, as words: as numbers, JavaScript would make all NaN alike. */
type Bits = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Any bits at all: NaN of every kind and numbers too small to be normal among them. */
function anyBits(dtype: DType, count: number): Bits {
  const words = Uint32Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 32))
  words.set([0x7fa00001, 0x00000001, 0xffffffff].slice(0, count))
  return dtype === 'f16' ? Uint16Array.from(words) : words
}

const upload = (dtype: DType, bits: Bits, shape: readonly number[]): Tensor =>
  g.upload(dtype === 'f32' ? new Float32Array(bits.buffer, bits.byteOffset, bits.length) : bits, shape)

async function bitsOf(x: Tensor): Promise<Bits> {
  await g.flush()
  const bytes = await g.device.download(x.placement!.buffer, x.size * BYTES_PER_ELEMENT[x.dtype])
  return x.dtype === 'f16' ? new Uint16Array(bytes) : new Uint32Array(bytes)
}

/** Elements [first, end) along an axis, on the host. */
function cut<T extends Bits | Float32Array>(
  data: T,
  shape: readonly number[],
  axis: number,
  first: number,
  end: number,
): T {
  const inner = size(shape.slice(axis + 1))
  const length = shape[axis]
  return data.filter((_, i) => {
    const at = Math.floor(i / inner) % length
    return at >= first && at < end
  }) as T
}

/** Odd sizes, sizes of four, one row, one column; f16 in pairs and fours, which need no f16 in the shader. */
const SHAPES: Record<DType, number[][]> = {
  f32: [[3, 5, 7], [2, 8, 12], [1, 9, 4], [11], [2, 3, 4, 5]],
  u32: [
    [3, 5, 7],
    [2, 4, 8],
  ],
  f16: [
    [3, 5, 8],
    [2, 3, 6],
    [2, 8, 16],
    [3, 10, 2],
  ],
}

const CASES = (['f32', 'u32', 'f16'] as const).flatMap((dtype) =>
  SHAPES[dtype].flatMap((shape) => shape.map((_, axis) => [dtype, shape, axis] as const)),
)

/** Where to cut: everywhere, in f16 where both sides have even numbers of values. */
const cuts = (dtype: string, shape: readonly number[], axis: number) =>
  Array.from({ length: shape[axis] + 1 }, (_, at) => at).filter(
    (at) => dtype !== 'f16' || (at * size(shape.slice(axis + 1))) % 2 === 0,
  )

describe.each(CASES)('of %s %j along axis %d', (dtype, shape, axis) => {
  it('narrow gives the bits of every window, empty ones too', async () => {
    const data = anyBits(dtype, size(shape))
    const x = upload(dtype, data, shape)
    for (const first of cuts(dtype, shape, axis)) {
      const ends = cuts(dtype, shape, axis).filter((one) => one >= first)
      for (const end of new Set([...ends.slice(0, 2), ends.at(-1)!])) {
        const y = narrow(g, x, axis - (first % 2) * shape.length, first, end)
        expect(y.shape).toEqual(shape.with(axis, end - first))
        expect(y.dtype).toBe(dtype)
        if (y.size === 0) continue
        expect(await bitsOf(y)).toEqual(cut(data, shape, axis, first, end))
      }
    }
  })

  it('place leaves all else as it was', async () => {
    const [outer, inner] = [shape.with(axis, shape[axis] + 4), shape]
    const [before, data] = [anyBits(dtype, size(outer)), anyBits(dtype, size(inner))]
    for (const first of [0, 2, 4, dtype === 'f16' ? 0 : 3]) {
      const y = upload(dtype, before, outer)
      place(g, y, axis, first, upload(dtype, data, inner))
      const after = await bitsOf(y)
      expect(cut(after, outer, axis, first, first + shape[axis])).toEqual(data)
      for (const [from, to] of [
        [0, first],
        [first + shape[axis], outer[axis]],
      ]) {
        expect(cut(after, outer, axis, from, to)).toEqual(cut(before, outer, axis, from, to))
      }
    }
  })

  it('join puts windows together again', async () => {
    const data = anyBits(dtype, size(shape))
    const x = upload(dtype, data, shape)
    const middle = cuts(dtype, shape, axis).at(Math.floor(cuts(dtype, shape, axis).length / 2))!
    const bounds = [0, 0, middle, shape[axis], shape[axis]]
    const y = join(
      g,
      bounds.slice(1).map((end, i) => narrow(g, x, axis, bounds[i], end)),
      axis - shape.length,
    )
    expect(y.shape).toEqual(shape)
    expect(await bitsOf(y)).toEqual(data)
  })
})

it('copies rows with strides and offsets of their own', async () => {
  const [data, before] = [random(50), random(40)]
  const [x, y] = [g.upload(data, [50]), g.upload(before, [40])]
  copyRows(g, x, { stride: 11, offset: 5 }, y, { stride: 7, offset: 2 }, 4, 6)
  const expected = before.slice()
  for (let row = 0; row < 4; row++) for (let c = 0; c < 6; c++) expected[row * 7 + 2 + c] = data[row * 11 + 5 + c]
  expect(await g.read(y)).toEqual(expected)
})

it.each([
  [[3, 350_001], 1, 17, 350_000],
  // four at a time
  [[1, 4_300_000], 1, 8, 4_299_000],
])('copies more than 65,535 workgroups: %j', async (shape, axis, first, end) => {
  const data = Float32Array.from({ length: size(shape) }, (_, i) => i)
  const y = narrow(g, g.upload(data, shape), axis, first, end)
  const [values, expected] = [await g.read(y), cut(data, shape, axis, first, end)]
  expect(values.length).toBe(expected.length)
  expect(values.findIndex((v, i) => v !== expected[i])).toBe(-1)
})

it('refuses what does not fit, and says so', () => {
  const x = g.upload(random(24), [2, 3, 4])
  expect(() => narrow(g, x, 1, 2, 4)).toThrow('elements 2 to 4 along axis 1 of [2, 3, 4]')
  expect(() => narrow(g, x, -1, -1, 2)).toThrow('elements -1 to 2')
  expect(() => narrow(g, x, 3, 0, 0)).toThrow('axis 3 of [2, 3, 4]')
  expect(() => place(g, x, 1, 2, g.upload(random(16), [2, 2, 4]))).toThrow('[2, 2, 4] at 2 along axis 1 of [2, 3, 4]')
  expect(() => place(g, x, 1, 0, g.upload(random(8), [1, 2, 4]))).toThrow('[1, 2, 4] at 0')
  expect(() => join(g, [x, g.upload(random(12), [1, 3, 4])], 1)).toThrow('along axis 1 of [2, 6, 4]')
  expect(() => place(g, x, 1, 0, g.upload(new Uint32Array(8), [2, 1, 4]))).toThrow('copy of u32 into f32')
  expect(() => copyRows(g, x, { stride: 4, offset: 1 }, x, { stride: 4, offset: 0 }, 6, 4)).toThrow(
    '6 rows of 4, 4 apart from 1 on, in [2, 3, 4]',
  )
})
