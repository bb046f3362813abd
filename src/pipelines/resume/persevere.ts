import { DitError } from '../../runtime/errors.ts'

/** How often devices may be lost, and fail to hold what they held, without a step between. */
const MOST_LOSSES = 3
const MOST_FULL = 2

export interface Perseverance<T> {
  /** Begins, or goes on. */
  attempt(): Promise<T>
  /** Steps done so far of what has come least far, and of all. */
  done(): { readonly step: number; readonly all: number }
  /** Mends what broke. @throws where nothing is left that could go on */
  mend(cause: DitError, step: number): Promise<void>
}

/**
 * Goes on as long as something can, and steps are done between failures.
 *
 * @throws what nothing can be done about: DitError 'device-lost' or 'out-of-memory' saying how often, and any other error
 */
export async function persevere<T>({ attempt, done, mend }: Perseverance<T>): Promise<T> {
  let [before, failures] = [0, 0]
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const { step, all } = done()
      const most = mostFailures(error, all)
      if (!(error instanceof DitError) || most === 0) throw error
      failures = all > before ? 1 : failures + 1
      before = all
      if (failures >= most) throw givenUp(error, failures, step)
      await mend(error, step)
    }
  }
}

function mostFailures(error: unknown, steps: number): number {
  if (!(error instanceof DitError)) return 0
  if (error.kind === 'device-lost') return MOST_LOSSES
  // What never did a step asks for more than there is.
  return error.kind === 'out-of-memory' && steps > 0 ? MOST_FULL : 0
}

function givenUp({ kind, message, hint }: DitError, failures: number, step: number): DitError {
  const where = step === 0 ? 'before the first step was done' : `after step ${step}`
  return new DitError(kind, `${message} (${failures} times ${where})`, hint)
}
