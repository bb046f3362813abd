import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { type NoiseType, randnTensor } from '../../src/schedulers/generator.ts'
import { Mt19937 } from '../../src/schedulers/mt19937.ts'
import { TorchGenerator } from '../../src/schedulers/torch_generator.ts'
import { loadGolden } from '../support/golden_io.ts'

const golden = Object.fromEntries(
  Object.entries(loadGolden('noise')).map(([key, tensor]) => [key.replace(/^output\./, ''), tensor]),
)
const dtypes: Record<string, NoiseType> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' }

/** What the key asks for: DTYPE.sSEED.SHAPE, with .first or .last of large ones, or .calls_A_B, or DTYPE.list.SHAPE. */
function draw(key: string): Float32Array {
  const [tag, seed, what, end] = key.split('.')
  const dtype = dtypes[tag]
  if (seed === 'list') {
    return randnTensor(
      what.split('x').map(Number),
      [0, 1].map((s) => new TorchGenerator(s)),
      dtype,
    )
  }
  const generator = new TorchGenerator(Number(seed.slice(1)))
  if (what.startsWith('calls_')) {
    const sizes = what.slice('calls_'.length).split('_').map(Number)
    return Float32Array.from(sizes.flatMap((size) => [...generator.randn([size], dtype)]))
  }
  const values = generator.randn(what.split('x').map(Number), dtype)
  if (end === 'first') return values.slice(0, 256)
  if (end === 'last') return values.slice(-256)
  return values
}

describe('TorchGenerator', () => {
  const keys = Object.keys(golden).filter((key) => !key.startsWith('words.'))

  it('finds the golden draws', () => {
    expect(keys.length).toBe(159)
  })

  it.each(keys)('%s', (key) => {
    const expected = golden[key].data as Float32Array
    const actual = draw(key)
    expect(actual.length).toBe(expected.length)
    let worst = 0
    for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i] - expected[i]))
    // Small tensors are computed in double precision by both.
    expect(worst).toBeLessThanOrEqual(expected.length < 16 ? 0 : 2e-6)
  })

  it.each(Object.keys(golden).filter((key) => key.startsWith('words.')))('%s: the twister', (key) => {
    const twister = new Mt19937(Number(key.slice('words.s'.length)))
    for (const word of golden[key].data) expect(twister.word()).toBe(Number(word))
  })

  it('takes the low 32 bits of a seed', () => {
    const expected = golden['f32.s1.31'].data
    expect(new TorchGenerator(2 ** 32 + 1).randn([31])).toEqual(new TorchGenerator(1n).randn([31]))
    expect(new TorchGenerator(2n ** 63n + 1n).randn([31])[0]).toBeCloseTo(Number(expected[0]), 5)
    expect(new TorchGenerator(-1).randn([3])).toEqual(new TorchGenerator(0xffffffff).randn([3]))
  })

  it('gives the same numbers for one generator of a list as for the generator', () => {
    expect(randnTensor([2, 3, 5], [new TorchGenerator(7)])).toEqual(new TorchGenerator(7).randn([2, 3, 5]))
    expect(new TorchGenerator(7).randn([0, 4]).length).toBe(0)
  })

  it('refuses seeds, shapes and lists that do not fit', () => {
    expect(() => new TorchGenerator(1.5)).toThrow(DitError)
    expect(() => new TorchGenerator(Number.NaN)).toThrow('seed is NaN')
    expect(() => new TorchGenerator(0).randn([2, -1])).toThrow('[2, -1]')
    expect(() => randnTensor([3, 4], [new TorchGenerator(0), new TorchGenerator(1)])).toThrow(
      '2 generators for a batch of 3',
    )
  })
})
