import type { CacheRule } from './rule.ts'

/**
 * First-Block-Cache (github.com/chengzeyi/ParaAttention; diffusers' FirstBlockCacheConfig): where the first block adds about
 * what it added when all of them were last run, the others will, too.
 */
export class FirstBlockRule implements CacheRule {
  readonly looksAt = 'what the first block adds'
  readonly comparesWith = 'the last that was computed'
  readonly #threshold: number

  constructor(threshold: number) {
    this.#threshold = threshold
  }

  always(): boolean {
    return false
  }

  spares(change: number): boolean {
    return change <= this.#threshold
  }

  computed(): void {}
}
