import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import type { PlainFailure } from '../../pipelines/outcome.ts'
import type { Drawn, Job } from '../jobs/job.ts'

/** ms between two signs of life, and after how many that were missed the other side is thought to be gone. */
export const BEAT = 1000
export const MISSED = 15

/** What whoever leads a mesh tells a node that lends ranks to it. */
export type ToLender = { readonly mesh: string } & (
  | {
      readonly kind: 'start'
      readonly version: string
      /** Of the model that all nodes of the mesh must have. */
      readonly digest: string
      readonly config: ParallelConfig
      /** Its ranks of all: [first, end). */
      readonly first: number
      readonly end: number
    }
  | { readonly kind: 'draw'; readonly job: Job }
  | { readonly kind: 'beat' }
  | { readonly kind: 'end' }
)

/** What it answers. */
export type ToLeader = { readonly node: string } & (
  | { readonly kind: 'started'; readonly devices: readonly string[] }
  | { readonly kind: 'step'; readonly step: number; readonly steps: number; readonly timestep: number }
  /** What its ranks that lead a crew drew, if any of them does. */
  | { readonly kind: 'drawn'; readonly drawn: Drawn | undefined }
  | { readonly kind: 'failed'; readonly failure: PlainFailure }
  | { readonly kind: 'beat' }
)
