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
}

export const tileName = ({ tm, tn, lx, ly, rolled }: TileShape): string => `${tm}x${tn}.${lx}x${ly}${rolled ? 'r' : ''}`
