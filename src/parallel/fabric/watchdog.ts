import { DitError } from '../../runtime/errors.ts'
import type { Transport } from './transport.ts'

/** How long a peer may give no sign of life while it is waited for, in ms, and how often to look. */
export interface Silence {
  readonly longest?: number
  readonly every?: number
}

/** Who waits for what, and of whom. */
export interface Waiting {
  readonly rank: number
  readonly from: number
  readonly tag: string
  /** It is not to send that message, but to take it. */
  readonly taking?: boolean
}

/** Whether an error says that a rank gives no sign of life: it will not answer any more. */
export const saysStuck = (error: unknown): boolean =>
  error instanceof DitError && error.kind === 'device-lost' && /^rank \d+ is stuck/.test(error.message)

/**
 * `arrival`, or an error that names who is stuck. A peer that computes for long is not: its heart beats on while its
 * device works. Nor is one that nobody could hear because this thread was busy.
 *
 * @throws DitError 'device-lost', also to all other ranks
 */
export async function watched<T>(
  arrival: Promise<T>,
  transport: Pick<Transport, 'lastHeard' | 'fail'>,
  { rank, from, tag, taking }: Waiting,
  { longest = 10_000, every = 250 }: Silence,
): Promise<T> {
  let timer: ReturnType<typeof setInterval> | undefined
  const silence = new Promise<never>((_, reject) => {
    let looked = performance.now()
    let listening = Number.NEGATIVE_INFINITY
    timer = setInterval(() => {
      const now = performance.now()
      if (now - looked > 8 * every) listening = now
      looked = now
      const silent = now - Math.max(transport.lastHeard(from), listening)
      if (silent < longest) return
      const what = taking ? `for it to take '${tag}'` : `for its '${tag}'`
      const error = new DitError(
        'device-lost',
        `rank ${from} is stuck: rank ${rank} waits ${what}, and it has given no sign of life for ${(silent / 1000).toFixed(0)} s`,
        'run again; if it happens again, run without that device',
      )
      transport.fail(error)
      reject(error)
    }, every)
  })
  try {
    return await Promise.race([arrival, silence])
  } finally {
    clearInterval(timer)
  }
}
