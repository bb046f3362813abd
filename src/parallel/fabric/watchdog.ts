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
}

/**
 * `arrival`, or an error that names who is stuck. A peer that computes for long is not: its heart beats on while its
 * device works.
 *
 * @throws DitError 'device-lost', also to all other ranks
 */
export async function watched<T>(
  arrival: Promise<T>,
  transport: Transport,
  { rank, from, tag }: Waiting,
  { longest = 10_000, every = 500 }: Silence,
): Promise<T> {
  let timer: ReturnType<typeof setInterval> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      const silent = performance.now() - transport.lastHeard(from)
      if (silent < longest) return
      const error = new DitError(
        'device-lost',
        `rank ${from} is stuck: rank ${rank} waits for its '${tag}', and it has given no sign of life for ${Math.round(silent / 1000)} s`,
        'Run again; if it happens again, run without that device.',
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
