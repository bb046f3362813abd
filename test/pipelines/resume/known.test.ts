import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../src/pipelines/resume/checkpoint.ts'
import { KnownPictures } from '../../../src/pipelines/resume/known.ts'

const at = (first: number, end: number, step: number): Checkpoint => ({
  pictures: { first, end },
  step,
  steps: 9,
  latents: new Float32Array(end - first),
  history: [],
  noise: { seed: 1, drawn: true, generators: [] },
})
const share = (first: number, end: number) => ({ first, end })

describe('what is known of the pictures of a call', () => {
  it('is the newest of each, whoever tells it when', () => {
    const known = new KnownPictures(4)
    expect(known.done).toEqual({ step: 0, all: 0 })
    expect(known.resumptions(undefined)).toEqual([{ pictures: share(0, 4), checkpoints: [] }])
    const [one, two] = [at(0, 2, 3), at(2, 4, 2)]
    for (const checkpoint of [one, two, at(0, 2, 2), at(0, 4, 1)]) known.note(checkpoint)
    expect(known.done).toEqual({ step: 2, all: 10 })
    expect(known.pieces).toEqual([
      { pictures: share(0, 2), checkpoints: [one] },
      { pictures: share(2, 4), checkpoints: [two] },
    ])
  })

  it('is taken up at once by crews that have the same pictures or parts of them, and piece by piece by others', () => {
    const known = new KnownPictures(4)
    known.note(at(0, 2, 3))
    known.note(at(2, 4, 1))
    const all = [{ pictures: share(0, 4), checkpoints: known.pieces.flatMap(({ checkpoints }) => checkpoints) }]
    expect(known.resumptions([share(0, 2), share(2, 4)])).toEqual(all)
    expect(known.resumptions([share(0, 1), share(1, 2), share(2, 3), share(3, 4), share(4, 4)])).toEqual(all)
    expect(known.resumptions([share(0, 4)])).toEqual(known.pieces)
    expect(known.resumptions(undefined)).toEqual(known.pieces)
  })
})
