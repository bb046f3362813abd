import { type Degrees, ONE_RANK } from '../mesh/mesh.ts'

/** How a request is divided among ranks: plain data, so that it crosses threads. xDiT's flags, in camelCase. */
export interface ParallelConfig {
  readonly degrees: Degrees
  /** Patches that PipeFusion cuts a picture into. Default: the pipefusion degree. */
  readonly numPipelinePatch: number
  /** Steps of PipeFusion and DistriFusion that run on the whole picture, with fresh keys and values. Default 1. */
  readonly warmupSteps: number
  /** Blocks of each stage; by the speed of the ranks unless given. */
  readonly attnLayerNumForPp?: readonly number[]
  /** The ranks of ulysses x ring work with keys and values of the step before. */
  readonly distrifusion: boolean
  /** Ranks that decode a picture together. */
  readonly vaeParallelSize: number
  /** Each rank keeps a share of every block's weights. */
  readonly shardDit: boolean
  readonly shardT5Encoder: boolean
  /** Relative speeds of the ranks, measured ('auto') or given; equal ones by default. */
  readonly deviceWeights?: 'auto' | readonly number[]
}

export const ON_ONE_DEVICE: ParallelConfig = {
  degrees: ONE_RANK,
  numPipelinePatch: 1,
  warmupSteps: 1,
  distrifusion: false,
  vaeParallelSize: 1,
  shardDit: false,
  shardT5Encoder: false,
}
