import { Mt19937 } from '../../../schedulers/mt19937.ts'
import { type NoiseType, randnTensor, TorchGenerator } from '../../../schedulers/torch_generator.ts'
import { toleranceOf } from '../case.ts'
import type { Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

const TYPES: Readonly<Record<string, NoiseType>> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' }

/** Values that .first and .last of a large tensor hold. */
const END = 256
/** Tensors below this many values are drawn in double precision, and agree exactly. */
const SMALL = 16

/** torch's normal random numbers. */
export const noiseRunner: Runner = {
  async run(run) {
    if (run.name !== 'main') throw notBuilt(`the noise of CUDA generators (${run.name})`)
    const io = await run.io()
    const seeds = run.case.meta.seeds as number[]
    for (const name of io.names) {
      const key = name.replace(/^output\./, '')
      const [type] = key.split('.')
      const expected = await io.tensor(name)
      const small = expected.data.length < SMALL
      const kind = type === 'words' ? 'words' : small ? 'fewer than 16 values' : 'others'
      const group = type === 'words' ? 'words' : `${type}, ${small ? 'below' : 'from'} ${SMALL} values`
      const data = type === 'words' ? words(key, expected.data.length) : draw(key, seeds)
      run.check(key, { shape: expected.shape, data }, expected, toleranceOf(run.case, kind), { group })
    }
  },
}

/** words.sSEED: the generator's first words. */
function words(key: string, count: number): number[] {
  const twister = new Mt19937(Number(key.split('.')[1].slice(1)))
  return Array.from({ length: count }, () => twister.word())
}

/** DTYPE.sSEED.SHAPE, with .first or .last of large ones, or .calls_A_B; or DTYPE.list.SHAPE with a generator a picture. */
function draw(key: string, seeds: readonly number[]): Float32Array {
  const [type, seed, what, end] = key.split('.')
  const shape = what.split('x').map(Number)
  if (seed === 'list') {
    const generators = seeds.slice(0, shape[0]).map((value) => new TorchGenerator(value))
    return randnTensor(shape, generators, TYPES[type])
  }
  const generator = new TorchGenerator(Number(seed.slice(1)))
  if (what.startsWith('calls_')) {
    const sizes = what.slice('calls_'.length).split('_').map(Number)
    return Float32Array.from(sizes.flatMap((size) => [...generator.randn([size], TYPES[type])]))
  }
  const values = generator.randn(shape, TYPES[type])
  return end === 'first' ? values.slice(0, END) : end === 'last' ? values.slice(-END) : values
}
