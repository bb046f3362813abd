import { ringMemory } from './ring.ts'

/** Bytes for the text of the first failure. */
export const FAILURE_BYTES = 16 * 1024

/** Shared memory between ranks: every rank of a team is given the same. */
export interface SharedLinks {
  readonly size: number
  /** rings[from][to]. */
  readonly rings: readonly (readonly (SharedArrayBuffer | undefined)[])[]
  /** A counter for each rank, which counts on while its event loop runs. */
  readonly beats: SharedArrayBuffer
  /** Whether a rank has failed, the length of the text that tells why, and the text. */
  readonly failure: SharedArrayBuffer
}

/** @param size ranks */
export const createSharedLinks = (size: number): SharedLinks => ({
  size,
  rings: Array.from({ length: size }, (_, from) =>
    Array.from({ length: size }, (__, to) => (from === to ? undefined : ringMemory())),
  ),
  beats: new SharedArrayBuffer(4 * size),
  failure: new SharedArrayBuffer(8 + FAILURE_BYTES),
})
