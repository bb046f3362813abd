/** ‖a − b‖ / ‖b‖; NaN where a value is missing or not a number. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN
  let difference = 0
  let norm = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

/** Fresh uniform values in [-amplitude, amplitude) at every run. */
export const random = (count: number, amplitude = 1): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, () => (Math.random() * 2 - 1) * amplitude)

/** A random whole number in [from, to]. */
export const randomSize = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from + 1))
