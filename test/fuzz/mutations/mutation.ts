import type { Random } from '../random.ts'

/** Path to bytes: a checkpoint folder. */
export type Files = Map<string, Uint8Array>

/** A changed file. */
export interface Mutation {
  readonly bytes: Uint8Array
  /** What was changed, for people. */
  readonly what: string
  /** The change has no meaning (white space, order, an unknown key): the answer must stay the very same. */
  readonly neutral: boolean
}

export type Mutate = (r: Random, bytes: Uint8Array) => Mutation

export const changed = (bytes: Uint8Array, what: string): Mutation => ({ bytes, what, neutral: false })
export const unchanged = (bytes: Uint8Array, what: string): Mutation => ({ bytes, what, neutral: true })
