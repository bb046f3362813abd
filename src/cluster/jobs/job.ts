import type { PlainFailure } from '../../pipelines/outcome.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import type { ObjectName } from './objects.ts'

/** Options of a call that cross to other machines as text. */
export type PlainCall = Omit<TeamOptions, 'onStep' | 'signal' | 'latents' | 'image'>

/** What waits in the queue: pictures that one node draws together. */
export interface Job {
  /** Its publisher's, and a number: the queue takes it in once. */
  readonly id: string
  /** The caller's webdit. */
  readonly version: string
  readonly prompts: readonly string[]
  readonly call: PlainCall
  /** Whether somebody looks at the picture as it forms. */
  readonly previews: boolean
  /** Initial noise, as f32. */
  readonly latents?: ObjectName
  /** Pictures to start from, as RGB bytes. */
  readonly images?: readonly { readonly object: ObjectName; readonly width: number; readonly height: number }[]
}

/** What became of a job. The first one that is written counts. */
export type Result = { readonly node: string; readonly attempt: string } & (
  | { readonly failure: PlainFailure }
  | { readonly drawn: Drawn }
)

export interface Drawn {
  /** PNG files. */
  readonly images: readonly ObjectName[]
  /** f32; without an object where only pictures were asked for. */
  readonly latents: { readonly shape: readonly number[]; readonly object?: ObjectName }
  readonly warnings: readonly string[]
  readonly seed?: number | readonly number[]
  readonly spared?: readonly boolean[]
  /** Seconds that drawing took, and how many nodes were given the job. */
  readonly seconds: number
  readonly deliveries: number
}

/** What is heard of a job while it goes on. */
export type News =
  | { readonly step: number; readonly steps: number; readonly timestep: number; readonly previews?: readonly string[] }
  | { readonly done: true }
