/**
 * How a matmul is cut for GPUs that multiply value by value: 16 x 16 threads compute `side` x `side` outputs each, so many times 16
 * rows and columns a workgroup, and bring `depth` values of each operand into workgroup memory at a time.
 */
export type StagedTile =
  | { readonly side: 8; readonly depth: 16 | 8 }
  // With less depth half of the threads would bring nothing.
  | { readonly side: 4; readonly depth: 16 }

/** Threads along rows and along columns. */
export const ACROSS = 16
export const THREADS = ACROSS * ACROSS

/** Rows, and columns, of a workgroup. */
export const extentOf = ({ side }: StagedTile): number => side * ACROSS

/** Vectors of four of a row of an operand. */
export const quadsOf = ({ depth }: StagedTile): number => depth / 4

/** From a row to the next, in vectors: an odd number, so that eight threads with a row each find eight different banks. */
export const strideOf = (tile: StagedTile): number => quadsOf(tile) + 1

/** Bytes of workgroup memory. */
export const stagedStorage = (tile: StagedTile): number => 2 * extentOf(tile) * strideOf(tile) * 16

export const stagedTileName = ({ side, depth }: StagedTile): string => `${16 * side}x${16 * side}x${depth}`
