import { throwIfAborted } from '../abort.ts'
import { DitError } from '../errors.ts'

/** Where requests go and how they end early. */
export interface Requests {
  readonly headers?: HeadersInit
  readonly signal?: AbortSignal
}

/** A part of a file as a server sent it; `ranged` is false where it sent the whole file instead. */
export interface Answer {
  readonly response: Response
  readonly ranged: boolean
  /** Bytes in the whole file; undefined where the server does not tell. */
  readonly size: number | undefined
}

/**
 * Asks for the bytes [begin, end) of a file, where a server that ignores Range sends all of them; undefined where there
 * is no such file. A web page in place of the file counts as none: servers of single-page apps answer everything so.
 *
 * @throws DitError 'io' where the server refuses or cannot be reached; 'corrupt' for other bytes than asked; 'aborted'
 */
export async function requestRange(url: URL, begin: number, end: number, how: Requests): Promise<Answer | undefined> {
  const response = await request(url, { headers: { Range: `bytes=${begin}-${end - 1}` } }, how)
  const { status } = response
  if (status === 404 || status === 410 || isWebPage(response)) {
    await response.body?.cancel()
    return undefined
  }
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('Content-Range') ?? '')
  const total = range && range[2] !== '*' ? Number(range[2]) : undefined
  if (status === 416 && total !== undefined) {
    await response.body?.cancel()
    return { response: new Response(), ranged: true, size: total }
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw refused(url, response)
  }
  if (status !== 206) return { response, ranged: false, size: plainLength(response) }
  if (range?.[1] !== undefined && Number(range[1]) !== begin) {
    await response.body?.cancel()
    throw new DitError('corrupt', `${shown(url)}: byte ${begin} was asked for, and the server sent from ${range[1]} on`)
  }
  return { response, ranged: true, size: total }
}

/** The length of a file whose server gives ranges and keeps Content-Range from this page: no site hides Content-Length. */
export async function requestLength(url: URL, how: Requests): Promise<number | undefined> {
  return plainLength(await request(url, { method: 'HEAD' }, how))
}

/**
 * Writes a body into `target`, and stops there; returns how many bytes came.
 * @throws DitError 'io' where the connection breaks, 'aborted'
 */
export async function readBody(url: URL, response: Response, target: Uint8Array, how: Requests): Promise<number> {
  let done = 0
  for await (const part of partsOf(url, response, how)) {
    const wanted = part.subarray(0, target.byteLength - done)
    target.set(wanted, done)
    done += wanted.byteLength
    if (done === target.byteLength) break
  }
  return done
}

/** A body's parts as they come; leaving the loop early cancels the rest. */
export async function* partsOf(url: URL, response: Response, how: Requests): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return
  let done = 0
  try {
    for (;;) {
      const { value } = await reader.read().catch((cause: unknown) => {
        throwIfAborted(how.signal)
        throw new DitError('io', `${shown(url)} broke off after ${done} bytes: ${reasonOf(cause)}`, CONNECTION, {
          cause,
        })
      })
      if (!value) return
      done += value.byteLength
      yield value
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** An address for people, without what may be secret. */
export function shown(url: URL): string {
  return `${url.origin}${decodeURI(url.pathname)}`
}

const CONNECTION = 'Check the connection, then try again.'
const UNREACHABLE =
  'Check the address and the connection. A server on another site must also allow this page (Access-Control-Allow-Origin).'

async function request(url: URL, init: RequestInit, { headers, signal }: Requests): Promise<Response> {
  throwIfAborted(signal)
  const all = new Headers(headers)
  for (const [name, value] of new Headers(init.headers)) all.set(name, value)
  try {
    return await fetch(url, { ...init, headers: all, signal })
  } catch (cause) {
    throwIfAborted(signal)
    throw new DitError('io', `cannot reach ${shown(url)}: ${reasonOf(cause)}`, UNREACHABLE, { cause })
  }
}

function refused(url: URL, { status, statusText }: Response): DitError {
  const answer = `the server answered ${[status, statusText].filter(Boolean).join(' ')} for ${shown(url)}`
  if (status === 401 || status === 403) {
    return new DitError('io', answer, 'You may need the right to read it; some storage answers so where no file is.')
  }
  return new DitError('io', answer, status >= 500 || status === 429 ? 'Try again later.' : 'Check the address.')
}

function isWebPage(response: Response): boolean {
  return response.ok && /^text\/html\b/i.test(response.headers.get('Content-Type') ?? '')
}

/** Content-Length, where it counts the file's own bytes and not those of a compressed form. */
function plainLength({ headers }: Response): number | undefined {
  const length = headers.get('Content-Length')
  return length === null || headers.get('Content-Encoding') ? undefined : Number(length)
}

/** fetch says 'fetch failed' or 'Failed to fetch'; Node tells the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : message
}
