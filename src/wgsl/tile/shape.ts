/**
 * How a matmul is cut: a thread computes `tm` x `tn` outputs, a workgroup has `lx` x `ly` threads. The columns of a
 * thread are `lx` apart, so neighbouring threads read and write neighbouring columns.
 */
export interface TileShape {
  readonly tm: number
  readonly tn: number
  readonly lx: number
  readonly ly: number
  /** Store with loops instead of unrolled code. */
  readonly rolled: boolean
  /** Each thread of a quad loads every fourth row and the quad shares them: a quarter of the loads. Needs lx = 4, ly = 1. */
  readonly quads: boolean
}

export const tileName = ({ tm, tn, lx, ly, rolled, quads }: TileShape): string =>
  `${tm}x${tn}.${lx}x${ly}${rolled ? 'r' : ''}${quads ? 'q' : ''}`
