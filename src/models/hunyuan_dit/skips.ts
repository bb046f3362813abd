/**
 * HunyuanDiT's long skips: an early block's result enters the late block that mirrors it, so block i of n goes with
 * n - 1 - i. The two in the middle have none.
 */

/** Whether a block's result is kept for a later one. */
export const givesSkip = (layers: number, block: number): boolean => block >= 0 && block < Math.floor(layers / 2) - 1

/** The block whose result enters this one beside that of the block before. */
export const takesSkip = (layers: number, block: number): number | undefined =>
  block > Math.floor(layers / 2) ? layers - 1 - block : undefined

/**
 * The blocks before `border` whose results blocks from there on still take, in their order; but for the last one, whose
 * result crosses the border as the hidden states.
 */
export const skipsAcross = (layers: number, border: number): number[] =>
  Array.from({ length: Math.max(border - 1, 0) }, (_, block) => block).filter(
    (block) => givesSkip(layers, block) && layers - 1 - block >= border,
  )
