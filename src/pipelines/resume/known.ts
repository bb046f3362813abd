import type { Share } from '../../runtime/shares.ts'
import type { Checkpoint, Resumption } from './checkpoint.ts'

/** The newest checkpoint of each picture of a call. */
export class KnownPictures {
  readonly #of: (Checkpoint | undefined)[]

  constructor(pictures: number) {
    this.#of = Array(pictures).fill(undefined)
  }

  /** Older ones may still come from ranks of a team that is gone. */
  note(checkpoint: Checkpoint): void {
    const { first, end } = checkpoint.pictures
    for (let i = first; i < end; i++) if ((this.#of[i]?.step ?? 0) < checkpoint.step) this.#of[i] = checkpoint
  }

  /** Steps done of the picture that has come least far, and of all together. */
  get done(): { readonly step: number; readonly all: number } {
    const steps = this.#of.map((one) => one?.step ?? 0)
    return { step: Math.min(...steps), all: steps.reduce((a, b) => a + b, 0) }
  }

  /** Pictures that have come equally far, in their order. */
  get pieces(): Resumption[] {
    const pieces: Resumption[] = []
    for (const [i, checkpoint] of this.#of.entries()) {
      const last = pieces.at(-1)
      if (last && last.checkpoints[0] === checkpoint) pieces[pieces.length - 1] = grown(last)
      else pieces.push({ pictures: { first: i, end: i + 1 }, checkpoints: checkpoint ? [checkpoint] : [] })
    }
    return pieces
  }

  /** How crews that have these pictures each go on: all at once where none has pieces of several, else piece by piece. */
  resumptions(crews: readonly Share[] | undefined): Resumption[] {
    const { pieces } = this
    const within = ({ first, end }: Share) =>
      first === end || pieces.some(({ pictures }) => pictures.first <= first && end <= pictures.end)
    if (pieces.length > 1 && !crews?.every(within)) return pieces
    const pictures = { first: 0, end: this.#of.length }
    return [{ pictures, checkpoints: pieces.flatMap(({ checkpoints }) => checkpoints) }]
  }
}

const grown = ({ pictures, checkpoints }: Resumption): Resumption => ({
  pictures: { ...pictures, end: pictures.end + 1 },
  checkpoints,
})
