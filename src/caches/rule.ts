import { FirstBlockRule } from './first_block_rule.ts'
import type { CacheSettings } from './settings.ts'
import { TeaCacheRule } from './teacache_rule.ts'

/** Decides which passes of a piece of a picture are spared, by how far something has changed since an earlier one. */
export interface CacheRule {
  /** What it looks at: what the first block adds to the image, or what it is given. */
  readonly looksAt: 'what the first block adds' | 'what the first block is given'
  /** The pass that this one is compared with. */
  readonly comparesWith: 'the last that was computed' | 'the last'
  /** Whether a step is computed whatever has changed. */
  always(step: number): boolean
  /** Whether a pass is spared. @param change Σ|now - before| / Σ|before|, not a number where nothing was there before */
  spares(change: number): boolean
  /** Told of a pass that was computed. */
  computed(): void
}

/** @param steps of the request */
export const ruleOf = (settings: CacheSettings, steps: number): CacheRule =>
  settings.kind === 'fbcache'
    ? new FirstBlockRule(settings.threshold)
    : new TeaCacheRule(settings.threshold, settings.coefficients, steps)
