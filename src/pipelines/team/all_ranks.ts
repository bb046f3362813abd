import { DitError } from '../../runtime/errors.ts'

/** The ranks did not all end after the first error: one hangs. */
export class RanksHang extends Error {
  constructor(cause: unknown) {
    super('ranks hang', { cause })
  }
}

export interface OnAllRanks {
  /** Told of the first error at once, so that the others need not wait for what will not come. */
  failed(error: unknown): void
  /** How long the others may take to end then, in ms. Default: as long as they want. */
  patience?: (error: unknown) => number
}

/**
 * Runs `body` for every rank at the same time and waits for all of them.
 *
 * @throws the first error, naming its rank unless all ranks met with the same one; RanksHang because of it where others
 *   do not end
 */
export async function onAllRanks<T>(
  size: number,
  body: (rank: number) => Promise<T>,
  { failed, patience }: OnAllRanks,
): Promise<T[]> {
  let first: { rank: number; error: unknown } | undefined
  let lost: (error: unknown) => void = () => {}
  const hang = new Promise<'hang'>((resolve) => {
    lost = (error) => {
      if (patience) setTimeout(() => resolve('hang'), patience(error))
    }
  })
  const all = Promise.allSettled(
    Array.from({ length: size }, async (_, rank) => {
      try {
        return await body(rank)
      } catch (error) {
        if (!first) {
          first = { rank, error }
          failed(error)
          lost(error)
        }
        throw error
      }
    }),
  )
  const settled = await Promise.race([all, hang])
  if (!first) return (settled as PromiseFulfilledResult<T>[]).map(({ value }) => value)
  const error = named(first.rank, first.error, size)
  throw settled === 'hang' ? new RanksHang(error) : error
}

/** What all ranks find wrong, such as an option, is no rank's own. */
const EVERYBODYS = ['bad-argument', 'aborted', 'unsupported', 'not-found', 'corrupt', 'io']

/** The error of one rank, as its team tells it. */
export function named(rank: number, error: unknown, size = 2): unknown {
  if (!(error instanceof DitError) || size === 1) return error
  if (EVERYBODYS.includes(error.kind) || error.message.startsWith('rank ')) return error
  return new DitError(error.kind, `rank ${rank}: ${error.message}`, error.hint, { cause: error })
}
