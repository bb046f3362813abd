import { throwIfAborted } from '../../abort.ts'
import { DitError } from '../../errors.ts'
import { partsOf } from '../http_file.ts'
import { type Asked, later, refusal, Unreachable, where } from './errors.ts'

/** How a hub is spoken to. */
export interface Connection {
  /** Without '/' at the end. */
  readonly endpoint: string
  readonly token: string | undefined
  readonly signal?: AbortSignal
  /** In ms, as in HubSettings. */
  readonly answerTimeout: number
  readonly bytesTimeout: number
}

export interface Question {
  readonly asked: Asked
  readonly url: string
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  /** Whether a redirection is itself the answer. */
  readonly stopAt?: (answer: Response, next: URL) => boolean
}

/** More than any hub and its stores need. */
const MOST_HOPS = 8

export interface Answer {
  readonly response: Response
  /** Ends the request, with a reason for people. */
  readonly giveUp: (reason: string) => void
}

/**
 * A hub's answer, redirections followed. The token goes to the hub alone, not to the stores that files are in.
 *
 * @throws DitError what refusal() makes of it, Unreachable where it may be otherwise later, 'aborted'
 */
export async function ask(connection: Connection, question: Question): Promise<Answer> {
  const { asked, stopAt } = question
  const home = new URL(connection.endpoint).origin
  let at = new URL(question.url)
  for (let hop = 0; hop < MOST_HOPS; hop++) {
    const answer = await askOnce(connection, question, at, at.origin === home)
    const { response } = answer
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('Location') : null
    const next = location === null || !URL.canParse(location, at) ? undefined : new URL(location, at)
    if (response.ok || (next && stopAt?.(response, next))) return answer
    await response.body?.cancel()
    if (!next) {
      const refused = refusal(asked, response)
      throw later(response.status) ? new Unreachable(refused.message, refused.hint!, refused) : refused
    }
    at = next
  }
  throw new DitError('io', `${where(asked)} is redirected more than ${MOST_HOPS} times`, 'Check HF_ENDPOINT.')
}

async function askOnce(
  { token, signal, answerTimeout }: Connection,
  { method = 'GET', headers, asked }: Question,
  at: URL,
  trusted: boolean,
): Promise<Answer> {
  throwIfAborted(signal)
  const controller = new AbortController()
  const giveUp = (reason: string) => controller.abort(new Error(reason))
  const timer = setTimeout(() => giveUp(`no answer in ${answerTimeout / 1000} s`), answerTimeout)
  const all = new Headers({ 'Accept-Encoding': 'identity', 'User-Agent': 'webdit', ...headers })
  if (token && trusted) all.set('Authorization', `Bearer ${token}`)
  try {
    const either = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal
    return { response: await fetch(at, { method, headers: all, redirect: 'manual', signal: either }), giveUp }
  } catch (cause) {
    throwIfAborted(signal)
    const reason = reasonOf(controller.signal.aborted ? controller.signal.reason : cause)
    const hint = 'Check the connection (and HF_ENDPOINT, if you set it), then run again.'
    throw new Unreachable(`cannot reach ${at.origin} for ${where(asked)}: ${reason}`, hint, cause)
  } finally {
    clearTimeout(timer)
  }
}

/** The body's parts as they come. @throws Unreachable where it breaks off or stops for too long; DitError 'aborted' */
export async function* bodyOf(
  { signal, bytesTimeout }: Connection,
  { response, giveUp }: Answer,
): AsyncGenerator<Uint8Array> {
  const url = new URL(response.url)
  const parts = partsOf(url, response, { signal })
  const late = `no byte in ${bytesTimeout / 1000} s`
  try {
    for (;;) {
      const timer = setTimeout(() => giveUp(late), bytesTimeout)
      const { value } = await parts.next().finally(() => clearTimeout(timer))
      if (!value) return
      yield value
    }
  } catch (error) {
    if (!(error instanceof DitError) || error.kind !== 'io') throw error
    throw new Unreachable(error.message, error.hint!, error)
  } finally {
    await parts.return(undefined)
  }
}

/** fetch says 'fetch failed'; Node tells the reason in the cause. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : message
}
