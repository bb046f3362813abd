import { describe, expect, it } from 'vitest'
import { type Checkpoint, checkpointOf } from '../../../src/pipelines/resume/checkpoint.ts'
import { joinedRows } from '../../../src/pipelines/resume/joined_rows.ts'

const checkpoint = (first: number, end: number, step: number): Checkpoint => {
  const values = Float32Array.from({ length: 2 * (end - first) }, (_, i) => 2 * first + i)
  const noise = { seed: 1, drawn: true, generators: [] }
  return { pictures: { first, end }, step, steps: 4, latents: values, history: [values.map((v) => -v)], noise }
}

describe('a checkpoint', () => {
  it('of some pictures has those among them', () => {
    const kept = [checkpoint(0, 2, 3), checkpoint(2, 5, 1)]
    expect(checkpointOf({ first: 3, end: 5 }, kept)).toMatchObject({
      pictures: { first: 3, end: 5 },
      step: 1,
      latents: Float32Array.of(6, 7, 8, 9),
      history: [Float32Array.of(-6, -7, -8, -9)],
    })
    expect(checkpointOf({ first: 0, end: 2 }, kept)).toMatchObject({ step: 3 })
    expect(checkpointOf({ first: 1, end: 3 }, kept)).toBeUndefined()
  })

  it('of patches is of whole pictures', () => {
    // Two pictures of one channel, 3 rows of 2: the first two rows, and the last.
    const pieces = [Float32Array.of(0, 1, 2, 3, 6, 7, 8, 9), Float32Array.of(4, 5, 10, 11)]
    const shapes = [
      [2, 1, 2, 2],
      [2, 1, 1, 2],
    ]
    expect([...joinedRows(pieces, shapes)]).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })
})
