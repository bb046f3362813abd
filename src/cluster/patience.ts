import type { NatsConnection } from '@nats-io/transport-node'
import { throwIfAborted } from '../runtime/abort.ts'
import { DitError } from '../runtime/errors.ts'

/** How long to wait before the next try, in ms. */
const PAUSE = 250

/** What clients say of a server that is away or not ready yet; all of it passes. */
const PASSING = /timeout|no ?responders|connection|disconnect|draining|heartbeat|503|temporarily|no leader/i

/** Whether an error says that the server is away at the moment, rather than that it refuses. */
export const isPassing = (error: unknown): boolean =>
  error instanceof Error && PASSING.test(`${error.name} ${error.message} ${(error.cause as Error | undefined)?.name}`)

/**
 * Does something that may be done twice until the server answers.
 *
 * @throws what the server refuses, as DitError 'io'; DitError 'aborted'
 */
export async function untilAnswered<T>(
  nc: Pick<NatsConnection, 'isClosed'>,
  what: string,
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    if (signal) throwIfAborted(signal)
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof DitError) throw error
      if (nc.isClosed() || !isPassing(error)) throw serverRefused(what, error)
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }
}

const serverRefused = (what: string, cause: unknown): DitError => {
  const why = cause instanceof Error ? cause.message : String(cause)
  const full = /maximum|insufficient|resource|no space|storage/i.test(why)
  return new DitError(
    'io',
    `the NATS server refuses ${what}: ${why}`,
    full ? 'Give JetStream more room in its configuration (max_file_store), or free some.' : undefined,
    { cause },
  )
}
