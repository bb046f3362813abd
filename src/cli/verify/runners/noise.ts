import { type CudaCard, CudaGenerator, H100 } from '../../../schedulers/cuda_generator.ts'
import { type Generator, type NoiseType, randnTensor } from '../../../schedulers/generator.ts'
import { Mt19937 } from '../../../schedulers/mt19937.ts'
import { philox4x32 } from '../../../schedulers/philox.ts'
import { TorchGenerator } from '../../../schedulers/torch_generator.ts'
import { toleranceOf } from '../case.ts'
import { absolute, relative, type Tolerance } from '../compare.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

const TYPES: Readonly<Record<string, NoiseType>> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' }

/** Values that .first and .last of a large tensor hold. */
const END = 256
/** Tensors below this many values are drawn in double precision on the CPU, and agree exactly. */
const SMALL = 16

/** A kind of generator, and what its numbers are held to. */
interface Source {
  generator(seed: number): Generator
  /** The raw words of seed, as the file has them. */
  words(seed: number, count: number): number[]
  tolerance(type: string, count: number): Tolerance
}

/** torch's normal random numbers. */
export const noiseRunner: Runner = {
  async run(run) {
    const source = sourceOf(run)
    const io = await run.io()
    const seeds = run.case.meta.seeds as number[]
    const whole = new Map<string, Float32Array>()
    for (const name of io.names) {
      const key = name.replace(/^output\./, '')
      const [type, seed] = key.split('.')
      const expected = await io.tensor(name)
      const count = expected.data.length
      const size = `${type}, ${count < SMALL ? 'below' : 'from'} ${SMALL} values`
      const data =
        type === 'words' ? source.words(Number(seed.slice(1)), count) : draw(key, seeds, source.generator, whole)
      const group = type === 'words' ? 'words' : size
      run.check(key, { shape: expected.shape, data }, expected, source.tolerance(type, count), { group })
    }
  },
}

function sourceOf(run: Run): Source {
  if (run.name === 'main') {
    const kind = (type: string, count: number) =>
      type === 'words' ? 'words' : count < SMALL ? 'fewer than 16 values' : 'others'
    return {
      generator: (seed) => new TorchGenerator(seed),
      words: twisterWords,
      tolerance: (type, count) => toleranceOf(run.case, kind(type, count)),
    }
  }
  const card = cardOf(run)
  const generator = (seed: number) => new CudaGenerator(seed, card)
  const words = toleranceOf(run.case, 'words')
  // The formula in double precision, in both; that the case lets pass more is for cards.
  if (run.name === 'philox') {
    return { generator, words: philoxWords, tolerance: (type) => (type === 'words' ? words : absolute(1e-6)) }
  }
  if (run.name === 'cuda') return { generator, words: philoxWords, tolerance: (type) => RECORDED[type] }
  throw notBuilt(`the noise of ${run.name}`)
}

/**
 * What a recorded card may differ by. Its fast sine and cosine are 2.3e-5 from the formula at most; a half type can
 * round to its other neighbour besides, at one value in hundreds.
 */
const RECORDED: Readonly<Record<string, Tolerance>> = {
  f32: absolute(2.4e-5),
  f16: relative(2 ** -11),
  bf16: relative(2 ** -8),
}

function cardOf(run: Run): CudaCard {
  const { multiprocessors, threads_per_multiprocessor: threads } = run.meta
  return {
    multiprocessors: typeof multiprocessors === 'number' ? multiprocessors : H100.multiprocessors,
    threadsPerMultiprocessor: typeof threads === 'number' ? threads : H100.threadsPerMultiprocessor,
  }
}

function twisterWords(seed: number, count: number): number[] {
  const twister = new Mt19937(seed)
  return Array.from({ length: count }, () => twister.word())
}

/** The four words of each thread at offset 0. */
function philoxWords(seed: number, count: number): number[] {
  const words = new Uint32Array(4)
  return Array.from({ length: count / 4 }, (_, thread) => {
    philox4x32([seed, 0], [0, 0, thread, 0], words)
    return [...words]
  }).flat()
}

/**
 * DTYPE.sSEED.SHAPE, with .first, .last or .every_Nth of large ones, or .calls_A_B; or DTYPE.list.SHAPE with a generator
 * a picture. `whole` keeps tensors of which several parts are asked for.
 */
function draw(
  key: string,
  seeds: readonly number[],
  generatorOf: Source['generator'],
  whole: Map<string, Float32Array>,
): Float32Array {
  const [type, seed, what, part = ''] = key.split('.')
  const shape = what.split('x').map(Number)
  if (seed === 'list') return randnTensor(shape, seeds.slice(0, shape[0]).map(generatorOf), TYPES[type])
  const generator = generatorOf(Number(seed.slice(1)))
  if (what.startsWith('calls_')) {
    const sizes = what.slice('calls_'.length).split('_').map(Number)
    return Float32Array.from(sizes.flatMap((size) => [...generator.randn([size], TYPES[type])]))
  }
  const name = `${type}.${seed}.${what}`
  const values = whole.get(name) ?? generator.randn(shape, TYPES[type])
  if (part) whole.set(name, values)
  const every = /^every_(\d+)th$/.exec(part)
  if (every) return values.filter((_, i) => i % Number(every[1]) === 0)
  return part === 'first' ? values.slice(0, END) : part === 'last' ? values.slice(-END) : values
}
