import type { Generator, GeneratorState, NoiseType, ResumableGenerator } from '../../schedulers/generator.ts'

export const isResumable = (generator: Generator): generator is ResumableGenerator =>
  'save' in generator && 'restore' in generator

/**
 * Somebody's own generator, which cannot be taken back: its numbers are kept until it is known that nobody will ask for
 * them again.
 */
export class RewindableGenerator implements ResumableGenerator {
  readonly #generator: Generator
  /** Calls of `randn` that were answered, those before `#first` being forgotten. */
  #kept: Float32Array[] = []
  #first = 0
  #next = 0

  constructor(generator: Generator) {
    this.#generator = generator
  }

  randn(shape: readonly number[], dtype?: NoiseType): Float32Array {
    const at = this.#next++ - this.#first
    this.#kept[at] ??= this.#generator.randn(shape, dtype)
    return this.#kept[at].slice()
  }

  save(): GeneratorState {
    return { next: this.#next }
  }

  restore({ next }: GeneratorState): void {
    this.#next = next as number
  }

  /** It will not be taken back to before that place. */
  forget({ next }: GeneratorState): void {
    this.#kept.splice(0, (next as number) - this.#first)
    this.#first = next as number
  }
}
