import { DitError } from '../runtime/errors.ts'
import { shapeText } from '../runtime/tensor.ts'
import { type CudaCard, CudaGenerator } from '../schedulers/cuda_generator.ts'
import { type Generator, type GeneratorState, randnTensor } from '../schedulers/generator.ts'
import { TorchGenerator } from '../schedulers/torch_generator.ts'
import { checkInteger, type PipelineOptions, type SeededGenerator } from './options.ts'
import { isResumable } from './resume/rewindable.ts'

/** Seeds that nobody gave are drawn below this, so that people can type them again. */
const RANDOM_SEEDS = 2 ** 32

export const randomSeed = (): number => Math.floor(Math.random() * RANDOM_SEEDS)

/** Where the random numbers of a run are. */
export interface NoiseState {
  readonly seed: number | readonly number[] | undefined
  readonly drawn: boolean
  /** Of one generator for all, or of each picture's; none of generators that cannot be taken back. */
  readonly generators: readonly GeneratorState[]
}

/** The random numbers of one run: first those that denoising starts from, then those of its steps. */
export class RunNoise {
  readonly #shape: readonly number[]
  readonly #latents: Float32Array | undefined
  #seed: number | readonly number[] | undefined
  readonly #generators: Generator | readonly Generator[]
  #drawn = false

  /**
   * @param shape of the latents, [pictures, channels, height, width]
   * @throws DitError bad-argument for seeds, latents or generators that do not fit
   */
  constructor(
    shape: readonly number[],
    { latents, seed, generator }: Pick<PipelineOptions, 'latents' | 'seed' | 'generator'>,
  ) {
    this.#shape = shape
    this.#latents = latents && checkLatents(latents, shape)
    if (isGenerator(generator)) {
      if (seed !== undefined) throw new DitError('bad-argument', 'a seed is given beside a generator that has its own')
      this.#generators = generator
    } else {
      this.#seed = seed ?? randomSeed()
      this.#generators = generatorsOf(this.#seed, shape[0], makerOf(generator))
    }
  }

  /** The seed or seeds that numbers were drawn from; undefined where none were. */
  get seed(): number | readonly number[] | undefined {
    return this.#drawn ? this.#seed : undefined
  }

  save(): NoiseState {
    const generators = this.#all.flatMap((one) => (isResumable(one) ? [one.save()] : []))
    return { seed: this.#seed, drawn: this.#drawn, generators }
  }

  /** Goes on where a run of the same options was. */
  restore({ seed, drawn, generators }: NoiseState): void {
    this.#seed = seed
    this.#drawn = drawn
    for (const [i, one] of this.#all.entries()) if (isResumable(one)) one.restore(generators[i])
  }

  get #all(): readonly Generator[] {
    return [this.#generators].flat()
  }

  /** Unit noise that denoising starts from: the given latents, or the generator's first numbers. */
  initial(): Float32Array {
    return this.#latents ?? this.next()
  }

  /** Fresh noise for a step, in the order of diffusers; or for the first `pictures` of the shape alone. */
  next(pictures = this.#shape[0]): Float32Array {
    this.#drawn = true
    const own = Array.isArray(this.#generators) ? this.#generators.slice(0, pictures) : this.#generators
    return randnTensor([pictures, ...this.#shape.slice(1)], own)
  }
}

function checkLatents(latents: Float32Array, shape: readonly number[]): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1)
  if (latents.length !== size) {
    throw new DitError(
      'bad-argument',
      `latents have ${latents.length} values, ${shapeText(shape)} (pictures, channels, height, width) needs ${size}`,
      'Check the number of prompts and the height and width.',
    )
  }
  if (!latents.every(Number.isFinite)) {
    throw new DitError('bad-argument', 'latents hold values that are not finite numbers')
  }
  return latents
}

function isGenerator(given: PipelineOptions['generator']): given is Generator {
  return typeof (given as Generator | undefined)?.randn === 'function'
}

type Maker = (seed: number) => Generator

function makerOf(generator: SeededGenerator = 'cpu'): Maker {
  if (generator === 'cpu') return (seed) => new TorchGenerator(seed)
  if (generator === 'cuda') return (seed) => new CudaGenerator(seed)
  const card: Partial<CudaCard> | undefined = (generator as { cuda?: CudaCard } | null)?.cuda
  if (card) {
    const multiprocessors = checkInteger('multiprocessors', card.multiprocessors, 1, 65_536)
    const threadsPerMultiprocessor = checkInteger(
      'threadsPerMultiprocessor',
      card.threadsPerMultiprocessor,
      256,
      65_536,
    )
    return (seed) => new CudaGenerator(seed, { multiprocessors, threadsPerMultiprocessor })
  }
  throw new DitError(
    'bad-argument',
    `generator is ${JSON.stringify(generator)}, expected cpu or cuda`,
    "torch's CPU and CUDA generators give different pictures for one seed.",
  )
}

function generatorsOf(seed: number | readonly number[], pictures: number, make: Maker): Generator | Generator[] {
  const checked = (value: unknown) => make(checkInteger('seed', value, 0, Number.MAX_SAFE_INTEGER))
  if (!Array.isArray(seed)) return checked(seed)
  if (seed.length === pictures) return seed.map(checked)
  throw new DitError(
    'bad-argument',
    `${seed.length} seeds for ${pictures} pictures`,
    'Give one for all, or one for each.',
  )
}
