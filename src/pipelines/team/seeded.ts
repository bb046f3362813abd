import { randomSeed } from '../noise.ts'
import type { PipelineOptions } from '../options.ts'

/** The same options, with a seed where noise would be drawn from one of each rank's own. */
export const seeded = <T extends Pick<PipelineOptions, 'seed' | 'latents'>>(options: T): T =>
  options.seed === undefined && options.latents === undefined ? { ...options, seed: randomSeed() } : options
