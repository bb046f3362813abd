import { shapeText } from '../../runtime/tensor.ts'
import type { HostArray } from './golden_io.ts'

/** How an output is measured, and what is let pass. */
export interface Tolerance {
  /**
   * rel_l2: ‖a − b‖ / ‖b‖ at most `limit`; absolute: the greatest |a − b| at most `limit`; exact: no value differs;
   * psnr: at least `limit` dB.
   */
  readonly metric: 'rel_l2' | 'absolute' | 'exact' | 'psnr'
  readonly limit: number
}

export const EXACT: Tolerance = { metric: 'exact', limit: 0 }
export const relative = (limit: number): Tolerance => ({ metric: 'rel_l2', limit })
export const absolute = (limit: number): Tolerance => ({ metric: 'absolute', limit })

/** One compared output. */
export interface Output {
  readonly name: string
  /** Outputs of one kind that a table may show as one: the steps of a schedule, the texts of a tokenizer. */
  readonly group?: string
  readonly metric: Tolerance['metric']
  /** In the metric's unit; for 'exact' the number of values that differ. NaN where it cannot be told. */
  readonly error: number
  readonly tolerance: number
  /** dB, for pictures and latents. */
  readonly psnr?: number
  readonly ok: boolean
  readonly note?: string
}

export interface CompareOptions {
  group?: string
  /** The range of values that PSNR is of: 1 for pictures, 'own' for the range of the expected values. */
  range?: number | 'own'
  /** What a reader should know of this output. */
  note?: string
}

/** Compares in float64. A shape that differs and a value that is no number are never within tolerance. */
export function compare(
  name: string,
  actual: HostArray,
  expected: HostArray,
  { metric, limit }: Tolerance,
  { group, range, note }: CompareOptions = {},
): Output {
  const base = { name, group, metric, tolerance: limit }
  const fault = shapeFault(actual, expected)
  if (fault) return { ...base, error: Number.NaN, ok: false, note: fault }
  const psnr = range === undefined ? undefined : psnrOf(actual.data, expected.data, range)
  const error = measure(metric, actual.data, expected.data, psnr)
  const ok = metric === 'psnr' ? error >= limit : error <= limit // false for NaN
  return { ...base, error, psnr, ok, note: (ok ? undefined : notNumbers(actual.data)) ?? note }
}

function shapeFault(actual: HostArray, expected: HostArray): string | undefined {
  const [a, b] = [shapeText(actual.shape), shapeText(expected.shape)]
  if (a !== b) return `shape ${a}, expected ${b}`
  if (actual.data.length !== expected.data.length) return `${actual.data.length} values for shape ${a}`
  return undefined
}

function measure(
  metric: Tolerance['metric'],
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  psnr: number | undefined,
): number {
  if (metric === 'psnr') return psnr ?? psnrOf(a, b, 1)
  if (metric === 'rel_l2') return relativeL2(a, b)
  let differing = 0
  let greatest = 0
  for (let i = 0; i < b.length; i++) {
    if (a[i] !== b[i]) differing++
    const distance = Math.abs(a[i] - b[i])
    if (Number.isNaN(distance)) greatest = Number.NaN
    else if (distance > greatest) greatest = distance
  }
  return metric === 'exact' ? differing : greatest
}

/** ‖a − b‖ / ‖b‖. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0
  let norm = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm)
}

/** Peak signal-to-noise ratio in dB; Infinity where all is equal. */
export function psnrOf(a: ArrayLike<number>, b: ArrayLike<number>, range: number | 'own'): number {
  let [least, most, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (let i = 0; i < b.length; i++) {
    least = Math.min(least, b[i])
    most = Math.max(most, b[i])
    sum += (a[i] - b[i]) ** 2
  }
  const peak = range === 'own' ? most - least : range
  return 10 * Math.log10(peak ** 2 / (sum / b.length))
}

function notNumbers(data: ArrayLike<number>): string | undefined {
  let count = 0
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) count++
  return count > 0 ? `${count} of ${data.length} values are not finite numbers` : undefined
}

/** A tensor's name without the part that tells what it is to the case. */
export const shortName = (name: string): string => name.replace(/^(output|inter)\./, '')
