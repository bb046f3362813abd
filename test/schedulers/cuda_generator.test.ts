import { describe, expect, it } from 'vitest'
import { CudaGenerator, H100 } from '../../src/schedulers/cuda_generator.ts'
import { type NoiseType, randnTensor } from '../../src/schedulers/generator.ts'
import { roundToBfloat16, roundToFloat16 } from '../../src/schedulers/half_rounding.ts'
import { philox4x32 } from '../../src/schedulers/philox.ts'
import { loadGolden } from '../support/golden_io.ts'

const dtypes: Record<string, NoiseType> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' }

/** Whole tensors, of which the files have parts. */
const drawn = new Map<string, Float32Array>()

/** DTYPE.sSEED.SHAPE, with .first, .last or .every_4096th of large ones, or .calls_A_B, or DTYPE.list.SHAPE. */
function draw(key: string): Float32Array {
  const [tag, seed, what, part] = key.split('.')
  const dtype = dtypes[tag]
  const shape = what.split('x').map(Number)
  if (seed === 'list') return randnTensor(shape, [new CudaGenerator(0), new CudaGenerator(1)], dtype)
  const generator = new CudaGenerator(Number(seed.slice(1)))
  if (what.startsWith('calls_')) {
    const sizes = what.slice('calls_'.length).split('_').map(Number)
    return Float32Array.from(sizes.flatMap((size) => [...generator.randn([size], dtype)]))
  }
  const whole = `${tag}.${seed}.${what}`
  const values = drawn.get(whole) ?? generator.randn(shape, dtype)
  drawn.set(whole, values)
  if (part === 'first') return values.slice(0, 256)
  if (part === 'last') return values.slice(-256)
  return part === 'every_4096th' ? values.filter((_, i) => i % 4096 === 0) : values
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0
  for (let i = 0; i < b.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]))
  return a.length === b.length ? most : Number.NaN
}

const tensors = (file: string) =>
  Object.entries(loadGolden('noise', file)).map(([name, { data }]) => [name.replace('output.', ''), data] as const)

describe('CudaGenerator', () => {
  it.each(tensors('io_philox.safetensors'))('%s: by the formula', (key, data) => {
    if (!key.startsWith('words.')) return expect(worst(draw(key), data as Float32Array)).toBeLessThan(1e-6)
    const [seed, words] = [Number(key.slice('words.s'.length)), new Uint32Array(4)]
    const all = Array.from({ length: 16 }, (_, thread) => {
      philox4x32([seed, 0], [0, 0, thread, 0], words)
      return [...words]
    })
    expect(all.flat()).toEqual([...data].map(Number))
  })

  const recorded = tensors('io_cuda.safetensors')
  it.each(recorded.filter(([key]) => key.startsWith('f32')))('%s: recorded on an H100', (key, data) => {
    // The card's fast sine and cosine.
    expect(worst(draw(key), data as Float32Array)).toBeLessThan(2.4e-5)
  })

  it.each(recorded.filter(([key]) => !key.startsWith('f32')))(
    '%s: recorded, a step of the type at most',
    (key, data) => {
      // A value near the middle of two may be rounded to the other.
      const round = key.startsWith('f16') ? roundToFloat16 : roundToBfloat16
      draw(key).forEach((value, i) => {
        const expected = Number(data[i])
        if (value === expected) return
        expect(Math.abs(value - expected)).toBeLessThan(
          Math.abs(expected) / (key.startsWith('f16') ? 1000 : 120) + 2.4e-5,
        )
        expect(round(value)).toBe(value)
      })
    },
  )

  it('agrees for all cards up to the threads of the smaller, and takes all 64 bits of a seed', () => {
    const small = { multiprocessors: 1, threadsPerMultiprocessor: 1024 }
    const [a, b] = [new CudaGenerator(5, small).randn([1024]), new CudaGenerator(5).randn([1024])]
    expect(a).toEqual(b)
    // The fifth block of values: a second normal of the first threads there, a first one of others here.
    expect(new CudaGenerator(5, small).randn([1025])[1024]).not.toBe(new CudaGenerator(5, H100).randn([1025])[1024])
    const words = new Uint32Array(4)
    philox4x32([5, 1], [0, 0, 0, 0], words)
    const radius = Math.sqrt(-2 * Math.log((words[0] + 0.5) / 2 ** 32))
    const value = new CudaGenerator(2 ** 32 + 5).randn([1])[0]
    expect(value).toBeCloseTo(radius * Math.sin((2 * Math.PI * (words[1] + 0.5)) / 2 ** 32), 6)
    expect(new CudaGenerator(-1).randn([3])).toEqual(new CudaGenerator(2n ** 64n - 1n).randn([3]))
    expect(new CudaGenerator(7).randn([0, 4]).length).toBe(0)
  })

  it('refuses seeds and cards that there are not', () => {
    expect(() => new CudaGenerator(1.5)).toThrow('seed is 1.5')
    expect(() => new CudaGenerator(1, { multiprocessors: 0, threadsPerMultiprocessor: 2048 })).toThrow('a card of 0')
    expect(() => new CudaGenerator(1, { multiprocessors: 2, threadsPerMultiprocessor: 100 })).toThrow(
      'with 100 threads',
    )
  })
})
