import { DitError } from '../runtime/errors.ts'
import { roundToBfloat16, roundToFloat16 } from './half_rounding.ts'

export type NoiseType = 'float32' | 'float16' | 'bfloat16'

/** A random generator as torch has it: each call goes on where the last ended. */
export interface Generator {
  /** Normal random numbers of `shape`, row-major; float16 and bfloat16 are rounded to that type, stored as float32. */
  randn(shape: readonly number[], dtype?: NoiseType): Float32Array
}

/** Where a generator is, as plain data that crosses threads. */
export type GeneratorState = Readonly<Record<string, number | Uint32Array | undefined>>

/** One that can be taken back to where it was, or to where another of its kind was. */
export interface ResumableGenerator extends Generator {
  save(): GeneratorState
  restore(state: GeneratorState): void
}

/**
 * Normal noise of `shape`, as diffusers' `randn_tensor`: one generator fills the whole tensor; of a list, generator i
 * draws picture i ([1, ...shape[1:]]), and the pictures are joined.
 * @throws DitError bad-argument when the list is not as long as the batch (a list of one serves any batch).
 */
export function randnTensor(
  shape: readonly number[],
  generators: Generator | readonly Generator[],
  dtype: NoiseType = 'float32',
): Float32Array {
  if (!isList(generators)) return generators.randn(shape, dtype)
  if (generators.length === 1) return generators[0].randn(shape, dtype)
  if (generators.length !== shape[0]) {
    throw new DitError(
      'bad-argument',
      `${generators.length} generators for a batch of ${shape[0]}`,
      'Pass one generator (or seed), or one for each picture.',
    )
  }
  const picture = [1, ...shape.slice(1)]
  const values = new Float32Array(countOf(shape))
  const stride = values.length / generators.length
  generators.forEach((generator, i) => {
    values.set(generator.randn(picture, dtype), i * stride)
  })
  return values
}

/** The seed's bits, unsigned. @throws DitError bad-argument unless `seed` is an integer (above 2^53 a bigint) */
export function seedBits(seed: number | bigint, bits: 32 | 64): bigint {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new DitError('bad-argument', `seed is ${seed}, expected an integer`, 'Pass seeds above 2^53 as a bigint.')
  }
  return BigInt.asUintN(bits, BigInt(seed))
}

/** Float32 values as a tensor of that type holds them. */
export function roundedTo(dtype: NoiseType, values: Float32Array): Float32Array {
  if (dtype === 'float16') return values.map(roundToFloat16)
  if (dtype === 'bfloat16') return values.map(roundToBfloat16)
  return values
}

/** @throws DitError bad-argument unless all sizes are whole numbers of at least 0 */
export function countOf(shape: readonly number[]): number {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new DitError('bad-argument', `the shape is [${shape.join(', ')}], expected integers of at least 0`)
  }
  return shape.reduce((product, size) => product * size, 1)
}

const isList = (generators: Generator | readonly Generator[]): generators is readonly Generator[] =>
  Array.isArray(generators)
