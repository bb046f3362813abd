import { DitError } from '../runtime/errors.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** The tokens that each of `batch` texts has. @throws DitError bad-argument where there is no position for so many */
export function tokensOfEach(ids: ArrayLike<number>, batch: number, positions: number): number {
  const tokens = ids.length / batch
  if (Number.isInteger(tokens) && tokens >= 1 && tokens <= positions) return tokens
  throw new DitError(
    'bad-argument',
    `${ids.length} token ids for ${batch} texts: each has from 1 to ${positions} tokens, and all have as many`,
  )
}

/**
 * Ids on the device, for the rows of a table of embeddings.
 * @param what names an id in errors
 * @throws DitError bad-argument where the table has no such row, or ids do not fill the shape
 */
export function uploadIds(
  g: Recorder,
  ids: ArrayLike<number>,
  shape: readonly number[],
  rows: number,
  what = 'token id',
): Tensor {
  const all = Array.from(ids)
  const unknown = all.find((id) => !Number.isInteger(id) || id < 0 || id >= rows)
  if (unknown === undefined) return g.upload(Uint32Array.from(all), shape, `${what}s`)
  throw new DitError(
    'bad-argument',
    `the ${what} ${unknown} is not one of the text encoder's ${rows}`,
    'Check that tokenizer and text encoder are of the same model.',
  )
}

/** Positions 0 to tokens - 1 on the device. */
export function uploadPositions(g: Recorder, tokens: number): Tensor {
  return g.upload(
    Uint32Array.from({ length: tokens }, (_, i) => i),
    [tokens],
    'positions',
  )
}

/** Added to a score, it leaves no weight. Far from the least of f32, so that adding a score to it cannot overflow. */
export const MASKED = -1e30
