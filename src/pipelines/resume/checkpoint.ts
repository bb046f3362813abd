import type { Share } from '../../runtime/shares.ts'
import type { NoiseState } from '../noise.ts'
import type { PipelineOptions } from '../options.ts'

/** What a solver has after a step, [pictures, channels, height / scale, width / scale] each. */
export interface SolverValues {
  readonly latents: Float32Array
  /** Denoised predictions that later steps look back at, the newest first. */
  readonly history: readonly Float32Array[]
}

/** What it takes to go on with pictures after a step, on the host: plain data that crosses threads. */
export interface Checkpoint extends SolverValues {
  /** Of all pictures of the call. */
  readonly pictures: Share
  /** Steps done, of so many. */
  readonly step: number
  readonly steps: number
  /** Where the random generators are. */
  readonly noise: NoiseState
}

/** Where a call goes on that was broken off. */
export interface Resumption {
  /** Those of its pictures that are drawn. */
  readonly pictures: Share
  /** Crews whose pictures none of them has begin anew. */
  readonly checkpoints: readonly Checkpoint[]
}

/** A call that can be broken off and go on. */
export interface ResumableCall extends PipelineOptions {
  resume?: Resumption
  /** Called on the rank that leads a crew, after each step and before `onStep` is. */
  onCheckpoint?: (checkpoint: Checkpoint) => void
}

/** What is known of some pictures: a part of the first checkpoint that has all of them. */
export function checkpointOf(pictures: Share, checkpoints: readonly Checkpoint[] = []): Checkpoint | undefined {
  const found = checkpoints.find(({ pictures: { first, end } }) => first <= pictures.first && pictures.end <= end)
  if (!found) return undefined
  const { first, end } = found.pictures
  const part = (values: Float32Array) => {
    const size = values.length / (end - first)
    return values.subarray((pictures.first - first) * size, (pictures.end - first) * size)
  }
  return { ...found, pictures, latents: part(found.latents), history: found.history.map(part) }
}
