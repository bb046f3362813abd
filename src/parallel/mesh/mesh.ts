import { DitError } from '../../runtime/errors.ts'

/** The axes along which work is divided, from the fastest to the slowest in the order of ranks (xDiT's). */
export const AXES = ['tensor', 'ulysses', 'ring', 'pipefusion', 'cfg', 'data'] as const
export type Axis = (typeof AXES)[number]

/** How many ways each axis divides the work. */
export type Degrees = Readonly<Record<Axis, number>>

export const ONE_RANK: Degrees = { tensor: 1, ulysses: 1, ring: 1, pipefusion: 1, cfg: 1, data: 1 }

/** Ranks that do something together, in the order of their shares. */
export interface Group {
  readonly ranks: readonly number[]
  /** Which of them this rank is. */
  readonly index: number
}

/**
 * One rank's view of the mesh:
 * rank = tp + TP·(u + U·(r + R·(pp + PP·(cfg + CFG·dp)))) (xDiT, parallel_state.py).
 */
export class Mesh {
  readonly degrees: Degrees
  readonly rank: number

  /** @throws DitError 'bad-argument' for a degree below 1, or a rank outside the mesh */
  constructor(degrees: Degrees, rank: number) {
    for (const axis of AXES) {
      if (Number.isInteger(degrees[axis]) && degrees[axis] >= 1) continue
      throw new DitError('bad-argument', `the ${axis} degree is ${degrees[axis]}, expected a whole number from 1 on`)
    }
    this.degrees = degrees
    this.rank = rank
    if (rank < 0 || rank >= this.size) {
      throw new DitError('bad-argument', `rank ${rank} is not in a mesh of ${this.size}`)
    }
  }

  get size(): number {
    return sizeOf(this.degrees)
  }

  degree(axis: Axis): number {
    return this.degrees[axis]
  }

  /** This rank's place along an axis. */
  at(axis: Axis): number {
    return Math.floor(this.rank / this.#stride(axis)) % this.degrees[axis]
  }

  /** The ranks that differ from this one along these axes only; the axes as ordered in `AXES`, the first counts fastest. */
  group(...axes: Axis[]): Group {
    let ranks = [axes.reduce((rank, axis) => rank - this.at(axis) * this.#stride(axis), this.rank)]
    for (const axis of AXES.filter((one) => axes.includes(one))) {
      ranks = Array.from({ length: this.degrees[axis] }, (_, k) => ranks.map((r) => r + k * this.#stride(axis))).flat()
    }
    return { ranks, index: ranks.indexOf(this.rank) }
  }

  /** The rank at that place along one axis, and at this one's along all others. */
  neighbour(axis: Axis, place: number): number {
    return this.rank + (place - this.at(axis)) * this.#stride(axis)
  }

  #stride(axis: Axis): number {
    return AXES.slice(0, AXES.indexOf(axis)).reduce((product, one) => product * this.degrees[one], 1)
  }
}

/** Ranks of a mesh. */
export const sizeOf = (degrees: Degrees): number => AXES.reduce((product, axis) => product * degrees[axis], 1)
