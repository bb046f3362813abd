import { randomSeed } from '../noise.ts'
import type { PixArtOptions } from '../pixart.ts'

/** The same options, with a seed where noise would be drawn from one of each rank's own. */
export const seeded = <T extends Pick<PixArtOptions, 'seed' | 'latents'>>(options: T): T =>
  options.seed === undefined && options.latents === undefined ? { ...options, seed: randomSeed() } : options
