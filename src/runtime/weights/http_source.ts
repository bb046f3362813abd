import { megabytes } from '../arena.ts'
import { DitError } from '../errors.ts'
import { type Answer, partsOf, type Requests, readBody, requestLength, requestRange, shown } from './http_file.ts'
import { checkPath, describePath, fileEndsEarly, readTextFrom, type Source } from './source.ts'

/** The first request for a file brings this much: most descriptions whole, and a weights file's header. */
const HEAD_BYTES = 64 * 1024

/** What is held in memory at most of files whose server ignores Range. */
const MOST_WHOLE_BYTES = 512 * 2 ** 20

export interface HttpSourceOptions extends Requests {
  /** Bytes of whole files held in memory at most, where the server does not give ranges. Default 512 MiB. */
  maxWholeBytes?: number
  /** Told once where the server ignores Range, so that whole files are fetched and held. Default: console.warn. */
  onNotice?: (message: string) => void
}

/** What is known of a file after the first request; `head` is its beginning, or all of it. */
interface HttpFile {
  readonly size: number
  readonly head: Uint8Array
  readonly ranged: boolean
}

/**
 * A checkpoint folder on a web server, read by ranges (RFC 9110, 14). A query of the URL goes with every request.
 *
 * Where the server ignores Range, files are fetched whole and held in memory, within a bound.
 *
 * @param url the folder, http:// or https://
 * @throws DitError 'bad-argument' for other URLs
 */
export function httpSource(url: string | URL, options: HttpSourceOptions = {}): Source {
  const root = folderUrl(url)
  const { maxWholeBytes = MOST_WHOLE_BYTES, onNotice = console.warn } = options
  const files = new Map<string, Promise<HttpFile | undefined>>()
  /** Bytes of the files held whole, those used last at the end. */
  const whole = new Map<string, number>()
  let noticed = false

  /** What the first request told of a file; failures are not remembered. */
  function find(path: string): Promise<HttpFile | undefined> {
    const bytes = whole.get(path)
    if (bytes !== undefined && whole.delete(path)) whole.set(path, bytes)
    let found = files.get(path)
    if (!found) {
      found = open(path)
      files.set(path, found)
      found.catch(() => files.delete(path))
    }
    return found
  }

  async function file(path: string): Promise<HttpFile> {
    const found = await find(checkPath(path))
    if (found) return found
    throw new DitError(
      'not-found',
      `${describePath(source, path)} is no file (the server has none, or sends a web page instead)`,
      'Check the address: it must be that of a diffusers folder, with every file of it below.',
    )
  }

  async function open(path: string): Promise<HttpFile | undefined> {
    const at = fileUrl(root, path)
    const answer = await requestRange(at, 0, HEAD_BYTES, options)
    if (!answer) return undefined
    if (!answer.ranged) return openWhole(path, at, answer)
    const { response, size = await requestLength(at, options) } = answer
    if (size === undefined) {
      await response.body?.cancel()
      throw new DitError('unsupported', `the server does not tell the length of ${shown(at)}`, 'Use another server.')
    }
    return { size, head: await readExactly(at, response, Math.min(size, HEAD_BYTES)), ranged: true }
  }

  async function openWhole(path: string, at: URL, { response, size }: Answer): Promise<HttpFile> {
    if (size !== undefined && size > maxWholeBytes) {
      await response.body?.cancel()
      throw tooLarge(at, size)
    }
    if (!noticed && (size ?? Number.POSITIVE_INFINITY) > HEAD_BYTES) {
      noticed = true
      onNotice(`${root.host} gives no byte ranges: files are fetched whole, and held in memory while they are read`)
    }
    makeRoom(size ?? 0)
    const head = size === undefined ? await readAll(at, response) : await readExactly(at, response, size)
    makeRoom(head.byteLength)
    whole.set(path, head.byteLength)
    return { size: head.byteLength, head, ranged: false }
  }

  /** Forgets whole files, those used longest ago first, until `bytes` more are within the bound. */
  function makeRoom(bytes: number): void {
    let sum = [...whole.values()].reduce((total, size) => total + size, bytes)
    for (const [path, size] of whole) {
      if (sum <= maxWholeBytes) return
      whole.delete(path)
      files.delete(path)
      sum -= size
    }
  }

  async function readExactly(at: URL, response: Response, bytes: number): Promise<Uint8Array> {
    const target = new Uint8Array(bytes)
    await fill(at, response, target)
    return target
  }

  async function fill(at: URL, response: Response, target: Uint8Array): Promise<void> {
    const came = await readBody(at, response, target, options)
    if (came === target.byteLength) return
    throw new DitError(
      'corrupt',
      `${shown(at)} sent ${came} bytes where ${target.byteLength} were expected`,
      'Try again.',
    )
  }

  /** A body of untold length. */
  async function readAll(at: URL, response: Response): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const part of partsOf(at, response, options)) {
      bytes += part.byteLength
      if (bytes > maxWholeBytes) throw tooLarge(at, bytes)
      parts.push(part)
    }
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer())
  }

  function tooLarge(at: URL, bytes: number): DitError {
    return new DitError(
      'unsupported',
      `${root.host} gives no byte ranges, and ${shown(at)} has ${megabytes(bytes)}: more than the ` +
        `${megabytes(maxWholeBytes)} that may be held in memory`,
      'Serve the model with a server that honours Range: nginx, Apache, Caddy and object stores do.',
    )
  }

  const source: Source = {
    name: shown(root).replace(/\/$/, ''),
    async size(path) {
      return (await file(path)).size
    },
    async exists(path) {
      return (await find(checkPath(path))) !== undefined
    },
    async readInto(path, offset, target) {
      const { size, head } = await file(path)
      const end = offset + target.byteLength
      if (end > size) throw fileEndsEarly(source, path, end, size)
      const known = head.subarray(offset, end)
      target.set(known)
      const rest = target.subarray(known.byteLength)
      if (rest.byteLength === 0) return
      const at = fileUrl(root, path)
      const answer = await requestRange(at, end - rest.byteLength, end, options)
      if (!answer?.ranged || (answer.size ?? size) !== size) {
        await answer?.response.body?.cancel()
        throw new DitError('corrupt', `${shown(at)} changed while it was read`, 'Load the model again.')
      }
      await fill(at, answer.response, rest)
    },
    readText: (path, maxBytes) => readTextFrom(source, path, maxBytes),
    async close() {
      files.clear()
      whole.clear()
    },
  }
  return source
}

function folderUrl(url: string | URL): URL {
  let root: URL | undefined
  try {
    root = new URL(url)
  } catch {
    // Said below.
  }
  if (root?.protocol !== 'http:' && root?.protocol !== 'https:') {
    throw new DitError('bad-argument', `${url} is no http:// or https:// address of a folder`)
  }
  root.hash = ''
  if (!root.pathname.endsWith('/')) root.pathname += '/'
  return root
}

function fileUrl(root: URL, path: string): URL {
  const url = new URL(root)
  url.pathname += path.split('/').map(encodeURIComponent).join('/')
  return url
}
