/** How steps may be spared: plain data, so that it crosses threads. */
export type CacheSettings = FirstBlockSettings | TeaCacheSettings

export interface FirstBlockSettings {
  readonly kind: 'fbcache'
  /** The relative change of what the first block adds up to which the other blocks are spared. */
  readonly threshold: number
}

export interface TeaCacheSettings {
  readonly kind: 'teacache'
  /** What changes may add up to before the blocks run again. */
  readonly threshold: number
  /** Of the polynomial that makes of the first block's input's relative change that of the output, the highest power first. */
  readonly coefficients: readonly number[]
}
