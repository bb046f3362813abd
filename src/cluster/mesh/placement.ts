import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { AXES, sizeOf } from '../../parallel/mesh/mesh.ts'
import { DitError } from '../../runtime/errors.ts'

/** Ranks that a machine lends. */
export interface Lender {
  readonly id: string
  readonly ranks: number
}

/** A machine's ranks of a mesh: [first, end). */
export interface Placed {
  readonly id: string
  readonly first: number
  readonly end: number
}

/**
 * Puts the ranks of a mesh on machines. Ranks that talk most are next to each other (tensor parallelism, then Ulysses,
 * ring, stages, CFG branches), so as many of these axes as fit stay inside a machine, and what crosses is what the outer
 * ones send. As few machines as can be, the largest first.
 *
 * @throws DitError 'bad-argument' where there are too few ranks
 */
export function placeRanks(config: ParallelConfig, lenders: readonly Lender[]): Placed[] {
  const size = sizeOf(config.degrees)
  const largest = lenders.toSorted((a, b) => b.ranks - a.ranks || (a.id < b.id ? -1 : 1))
  const there = largest.reduce((sum, { ranks }) => sum + ranks, 0)
  if (there < size) {
    throw new DitError(
      'bad-argument',
      `the mesh has ${size} ranks, and the machines of the cluster lend ${there}`,
      lenders.length > 0
        ? `There are ${largest.map(({ id, ranks }) => `${ranks} on ${id}`).join(', ')}.`
        : 'Start webdit node with --lend_ranks N on each machine that is to take part.',
    )
  }
  for (const unit of unitsOf(config)) {
    const placed: Placed[] = []
    let first = 0
    for (const { id, ranks } of largest) {
      const end = Math.min(size, first + Math.floor(ranks / unit) * unit)
      if (end > first) placed.push({ id, first, end })
      first = end
    }
    if (first === size) return placed
  }
  throw new Error('units end with 1')
}

/** Numbers of ranks that belong together, the most first: products of the inner axes. */
function unitsOf({ degrees }: ParallelConfig): number[] {
  const units = [1]
  for (const axis of AXES) units.push(units[units.length - 1] * degrees[axis])
  return [...new Set(units)].reverse()
}
