import type { Files, Mutation } from '../mutations/mutation.ts'
import type { Random } from '../random.ts'

/** Something that reads files, and the ways to damage them. */
export interface Subject {
  readonly name: string
  /** Sets of files to start from. */
  readonly variants: readonly string[]
  files(variant: string): Files
  /** A changed version of one file. */
  mutate(r: Random, path: string, bytes: Uint8Array): Mutation
  /** What is fuzzed: an answer that can be compared, or a DitError. The same files must always give the same. */
  run(files: Files, variant: string): Promise<unknown>
}
