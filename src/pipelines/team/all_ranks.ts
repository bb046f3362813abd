import { DitError } from '../../runtime/errors.ts'

/**
 * Runs `body` for every rank at the same time and waits for all of them.
 *
 * @param failed told of the first error at once, so that the others need not wait for what will not come
 * @throws the first error, naming its rank unless all ranks met with the same one
 */
export async function onAllRanks<T>(
  size: number,
  body: (rank: number) => Promise<T>,
  failed: (error: unknown) => void,
): Promise<T[]> {
  let first: { rank: number; error: unknown } | undefined
  const settled = await Promise.allSettled(
    Array.from({ length: size }, async (_, rank) => {
      try {
        return await body(rank)
      } catch (error) {
        if (!first) {
          first = { rank, error }
          failed(error)
        }
        throw error
      }
    }),
  )
  if (!first) return settled.map((outcome) => (outcome as PromiseFulfilledResult<T>).value)
  const { rank, error } = first
  if (!(error instanceof DitError) || size === 1) throw error
  // What all ranks find wrong, such as an option, is no rank's own.
  const shared = ['bad-argument', 'aborted', 'unsupported', 'not-found', 'corrupt', 'io'].includes(error.kind)
  if (shared || error.message.startsWith('rank ')) throw error
  throw new DitError(error.kind, `rank ${rank}: ${error.message}`, error.hint, { cause: error })
}
