import { DitError } from '../../runtime/errors.ts'

/** How often devices may be lost, and fail to hold what they held, without a step between. */
const MOST_LOSSES = 3
const MOST_FULL = 2

export interface Perseverance<T> {
  /** Begins, or goes on. */
  attempt(): Promise<T>
  /** Steps done so far. */
  steps(): number
  /** Mends what broke. @throws where nothing is left that could go on */
  mend(cause: DitError, steps: number): Promise<void>
}

/**
 * Goes on as long as something can, and steps are done between failures.
 *
 * @throws what nothing can be done about: DitError 'device-lost' or 'out-of-memory' saying how often, and any other error
 */
export async function persevere<T>({ attempt, steps, mend }: Perseverance<T>): Promise<T> {
  let [done, failures] = [0, 0]
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const most = mostFailures(error, steps())
      if (!(error instanceof DitError) || most === 0) throw error
      failures = steps() > done ? 1 : failures + 1
      done = steps()
      if (failures >= most) throw givenUp(error, failures, done)
      await mend(error, done)
    }
  }
}

function mostFailures(error: unknown, steps: number): number {
  if (!(error instanceof DitError)) return 0
  if (error.kind === 'device-lost') return MOST_LOSSES
  // What never did a step asks for more than there is.
  return error.kind === 'out-of-memory' && steps > 0 ? MOST_FULL : 0
}

function givenUp({ kind, message, hint }: DitError, failures: number, steps: number): DitError {
  const where = steps === 0 ? 'before its first step was done' : `after step ${steps}`
  return new DitError(kind, `${message} (${failures} times ${where})`, hint)
}
