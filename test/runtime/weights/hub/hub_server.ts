import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What a test changes of a hub while it runs. */
export interface HubServer {
  readonly endpoint: string
  /** 'METHOD /path RANGE' of the hub and of the store that large files are in. */
  readonly requests: string[]
  /** Headers of the requests to the hub, and to the store. */
  readonly headers: { hub: IncomingMessage['headers'][]; store: IncomingMessage['headers'][] }
  readonly files: Map<string, Uint8Array>
  commit: string
  /** Answers instead of the hub, where it returns true. */
  instead?: (path: string, response: ServerResponse) => boolean | undefined
  /** After how many bytes of a body from the store the connection breaks; undefined: not. */
  cut?: (bytes: number) => number | undefined
  /** The store's bytes of a file. */
  spoil?: (bytes: Uint8Array) => Uint8Array
  ranges: boolean
}

export const ID = 'some-org/small-model_1.0'
export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const gitSha = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex')
/** As the hub decides what goes into its store. */
export const isLarge = (path: string): boolean => /\.(safetensors|bin|model)$/.test(path)
export const etagOf = (path: string, bytes: Uint8Array): string => (isLarge(path) ? sha256 : gitSha)(bytes)

/** All files of a folder, by their paths in it. */
export function filesIn(folder: string): Map<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = entries.map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replace(/^\//, ''))
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path))]))
}

/**
 * A hub with one model, and a store for its large files on another origin, until the test ends. As the real one: HEAD and
 * GET of /ID/resolve/REVISION/PATH send to the store and say X-Linked-Etag, where the store's own etags are others; small
 * files are at another path of the hub.
 */
export async function startHub(files: Map<string, Uint8Array>): Promise<HubServer> {
  // Of another name, not only at another port: so huggingface_hub tells a store from a hub.
  const store = await listen('localhost', (request, response) => serveStore(request, response))
  const hub = await listen('127.0.0.1', (request, response) => serveHub(request, response))
  const state: HubServer = {
    endpoint: hub,
    requests: [],
    headers: { hub: [], store: [] },
    files,
    commit: COMMIT,
    ranges: true,
  }

  function serveHub(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url!, hub).pathname)
    state.requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim())
    state.headers.hub.push(request.headers)
    if (state.instead?.(path, response)) return
    const [, revision] = new RegExp(`^/api/models/${ID}/revision/(.+)$`).exec(path) ?? []
    if (revision) {
      if (!['main', 'v1', 'refs/pr/1', state.commit].includes(revision))
        return void refuse(response, 404, 'RevisionNotFound')
      const siblings = [...state.files.keys()].map((rfilename) => ({ rfilename }))
      return void response.end(JSON.stringify({ id: ID, sha: state.commit, siblings }))
    }
    const [, small] = new RegExp(`^/api/resolve-cache/models/${ID}/${state.commit}/(.+)$`).exec(path) ?? []
    if (small) {
      const bytes = state.files.get(small)!
      response.setHeader('X-Repo-Commit', state.commit)
      return void serveBytes(request, response, bytes, `"${gitSha(bytes)}"`)
    }
    const [, file] = new RegExp(`^/${ID}/resolve/(?:main|${state.commit})/(.+)$`).exec(path) ?? []
    if (!file) return void refuse(response, 404, 'RepoNotFound')
    const bytes = state.files.get(file)
    if (!bytes) return void refuse(response, 404, 'EntryNotFound')
    response.setHeader('X-Repo-Commit', state.commit)
    if (!isLarge(file)) {
      const place = `/api/resolve-cache/models/${ID}/${state.commit}/${encodeURIComponent(file)}`
      return void response.writeHead(307, { Location: place }).end()
    }
    response.setHeader('ETag', `"${gitSha(Buffer.from('the pointer'))}"`)
    response.setHeader('X-Linked-Etag', `"${sha256(bytes)}"`)
    response.setHeader('X-Linked-Size', bytes.byteLength)
    response.writeHead(302, { Location: `${store}/${encodeURIComponent(file)}?secret=1` }).end('Found')
  }

  function serveStore(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, store)
    const file = decodeURIComponent(pathname.slice(1))
    state.requests.push(`STORE ${request.method} /${file} ${request.headers.range ?? ''}`.trim())
    state.headers.store.push(request.headers)
    const bytes = state.files.get(file)!
    const sent = state.spoil?.(bytes) ?? bytes
    serveBytes(request, response, sent, `"store-${bytes.byteLength}"`, state.cut, state.ranges)
  }
  return state
}

/** RFC 9110: a range, unless If-Range names another version. */
function serveBytes(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
  cut?: HubServer['cut'],
  ranges = true,
): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const bound = request.headers['if-range']
  const ranged = ranges && first !== undefined && (bound === undefined || bound === etag)
  const begin = ranged ? Number(first) : 0
  const end = ranged && last ? Math.min(Number(last) + 1, bytes.byteLength) : bytes.byteLength
  const part = bytes.subarray(begin, end)
  const range = `bytes ${begin}-${end - 1}/${bytes.byteLength}`
  response.writeHead(ranged ? 206 : 200, {
    ETag: etag,
    'Content-Length': part.byteLength,
    ...(ranged && { 'Content-Range': range }),
  })
  const most = request.method === 'GET' ? cut?.(part.byteLength) : undefined
  if (request.method === 'HEAD') response.end()
  else if (most === undefined) response.end(part)
  else response.write(part.subarray(0, most), () => setTimeout(() => response.destroy(), 20))
}

export function refuse(response: ServerResponse, status: number, code?: string, message?: string): void {
  response.writeHead(status, { ...(code && { 'X-Error-Code': code }), ...(message && { 'X-Error-Message': message }) })
  response.end('{}')
}

async function listen(
  host: string,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server: Server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://${host}:${(server.address() as AddressInfo).port}`
}
