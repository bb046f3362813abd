import type { CacheRule } from './rule.ts'

/**
 * TeaCache (Liu et al. 2024, arXiv 2411.19108): a polynomial guesses from the change of the first block's modulated input how
 * far the output will be from that of the step before; blocks run again when the guesses have added up to the threshold. The
 * first and the last step are always computed.
 */
export class TeaCacheRule implements CacheRule {
  readonly looksAt = 'what the first block is given'
  readonly comparesWith = 'the last'
  readonly #threshold: number
  readonly #coefficients: readonly number[]
  readonly #steps: number
  #sum = 0

  /** @param coefficients the highest power first, as numpy.poly1d */
  constructor(threshold: number, coefficients: readonly number[], steps: number) {
    this.#threshold = threshold
    this.#coefficients = coefficients
    this.#steps = steps
  }

  always(step: number): boolean {
    return step === 0 || step === this.#steps - 1
  }

  spares(change: number): boolean {
    this.#sum += this.#coefficients.reduce((sum, coefficient) => sum * change + coefficient, 0)
    return this.#sum < this.#threshold
  }

  computed(): void {
    this.#sum = 0
  }
}
