import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/**
 * How all ranks that draw a picture come to one decision on a pass: otherwise some would wait for others that spare it.
 *
 * @param measured [rows, columns] on ranks with the first block; nothing on the others, which are told
 * @param decide given the rows of all of them, the same on each
 */
export type Agreement = (
  g: Recorder,
  measured: Tensor | undefined,
  decide: (rows: Float32Array) => boolean,
) => Promise<boolean>

/** Σ|now - before| / Σ|before| from the rows of `changeSums`, in float64: all ranks add up the same numbers alike. */
export function relativeChange(rows: ArrayLike<number>): number {
  let [change, before] = [0, 0]
  for (let i = 0; i < rows.length; i += 2) {
    change += rows[i]
    before += rows[i + 1]
  }
  return change / before
}
