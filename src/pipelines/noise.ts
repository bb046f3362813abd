import { DitError } from '../runtime/errors.ts'
import { shapeText } from '../runtime/tensor.ts'
import { randnTensor, TorchGenerator } from '../schedulers/torch_generator.ts'
import { checkInteger, type PipelineOptions } from './options.ts'

/** Seeds that nobody gave are drawn below this, so that people can type them again. */
const RANDOM_SEEDS = 2 ** 32

/** The noise that denoising starts from, and where it came from. */
export function initialNoise(
  shape: readonly number[],
  { latents, seed, generator = 'cpu' }: Pick<PipelineOptions, 'latents' | 'seed' | 'generator'>,
): { noise: Float32Array; seed: number | readonly number[] | undefined } {
  if (generator !== 'cpu') {
    throw new DitError('unsupported', `generator is ${JSON.stringify(generator)}, webdit has 'cpu'`)
  }
  const size = shape.reduce((a, b) => a * b, 1)
  if (latents) {
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
    return { noise: latents, seed: undefined }
  }
  const given = seed ?? Math.floor(Math.random() * RANDOM_SEEDS)
  const check = (value: unknown) => checkInteger('seed', value, 0, Number.MAX_SAFE_INTEGER)
  if (typeof given === 'number')
    return { noise: randnTensor([...shape], new TorchGenerator(check(given))), seed: given }
  if (given.length !== shape[0]) {
    throw new DitError(
      'bad-argument',
      `${given.length} seeds for ${shape[0]} pictures`,
      'Give one for all, or one for each.',
    )
  }
  return {
    noise: randnTensor(
      [...shape],
      given.map((value) => new TorchGenerator(check(value))),
    ),
    seed: given,
  }
}
