import type { DeviceLimits } from './limits.ts'

/** What was measured of a kernel or a block. */
export interface Row {
  readonly name: string
  readonly shape: string
  readonly seconds: number
  /** Floating-point operations that it comes to, a multiply-add counted as two. */
  readonly flop: number
  /** Bytes of operands and results, each once. */
  readonly bytes: number
  /** ‖y − reference‖ / ‖reference‖ against float64 of the same operands; undefined where nothing was compared. */
  readonly error?: number
}

export interface BenchReport {
  readonly device: string
  readonly tier: string
  readonly limits: DeviceLimits
  readonly rows: readonly Row[]
}

/** The report as lines: shares are of this device's own limits. */
export function tableOf({ device, tier, limits, rows }: BenchReport): string[] {
  const cells = rows.map(({ name, shape, seconds, flop, bytes, error }) => [
    name,
    shape,
    `${(1000 * seconds).toPrecision(3)} ms`,
    (flop / 1e9).toPrecision(3),
    speed(flop / seconds),
    share(flop / seconds / limits.flops),
    (bytes / 1e6).toPrecision(3),
    share(bytes / seconds / limits.bytes),
    error === undefined ? '' : error.toExponential(1),
  ])
  const heads = ['', 'shape', 'median', 'GFLOP', 'speed', 'of peak', 'MB', 'of copy', 'error']
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i].length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd()
  const most = `${speed(limits.flops)} in registers alone, ${(limits.bytes / 1e9).toPrecision(3)} GB/s copied`
  return [`${device}, tier ${tier}: ${most}`, line(heads), ...cells.map(line)]
}

const speed = (flops: number): string =>
  flops >= 1e12 ? `${(flops / 1e12).toPrecision(3)} TFLOP/s` : `${(flops / 1e9).toPrecision(3)} GFLOP/s`

const share = (part: number): string => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`
