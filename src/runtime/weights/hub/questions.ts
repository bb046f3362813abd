import { DitError } from '../../errors.ts'
import { show } from '../../show.ts'
import { type HubId, isCommit } from './hub_id.ts'
import { ask, bodyOf, type Connection } from './requests.ts'

/** A model at one commit. */
export interface Revision {
  readonly commit: string
  readonly files: readonly string[]
}

/** A file at one commit. */
export interface FileInfo {
  /** SHA-256 of a large file, git's SHA-1 of a small one; the name of its blob. */
  readonly etag: string
  /** In bytes. */
  readonly size: number
  /** What a request for the rest of the file may be bound to; none where the bytes come from elsewhere. */
  readonly validator: string | undefined
}

/** Asks which commit a branch, tag or commit is, and which files it has. @throws DitError as ask() */
export async function askRevision(connection: Connection, hub: HubId): Promise<Revision> {
  const { endpoint, token } = connection
  const url = `${endpoint}/api/models/${hub.id}/revision/${encodeURIComponent(hub.revision)}`
  const asked = { endpoint, hub, token: token !== undefined }
  const parts: Uint8Array[] = []
  for await (const part of bodyOf(connection, await ask(connection, { asked, url }))) parts.push(part)
  const { sha, siblings } = objectOf(await new Blob(parts as BlobPart[]).text())
  if (typeof sha !== 'string' || !isCommit(sha) || !Array.isArray(siblings)) throw noHub(endpoint, url)
  const files = siblings.map((sibling) => sibling?.rfilename)
  return { commit: sha, files: files.filter((file) => typeof file === 'string') }
}

/** Where the hub has a file, or sends whoever wants it elsewhere. */
export function fileUrl({ endpoint }: Connection, { id }: HubId, commit: string, path: string): string {
  return `${endpoint}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}

/** Asks for a file's sum and size. @throws DitError as ask() */
export async function askFile(connection: Connection, hub: HubId, commit: string, path: string): Promise<FileInfo> {
  const { endpoint, token } = connection
  const url = fileUrl(connection, hub, commit, path)
  const { response } = await ask(connection, {
    asked: { endpoint, hub, path, token: token !== undefined },
    url,
    method: 'HEAD',
    // Elsewhere on the hub are renamed models, and small files; in the answer that sends to a store is all of it.
    stopAt: ({ headers }, next) => tellsAll(headers) || next.origin !== new URL(endpoint).origin,
  })
  const { headers } = response
  const validator = response.ok ? headers.get('ETag') : null
  const etag = plain(headers.get('X-Linked-Etag') ?? headers.get('ETag'))
  const size = Number(headers.get('X-Linked-Size') ?? (response.ok ? (headers.get('Content-Length') ?? -1) : -1))
  // It becomes the name of a file.
  if (!/^\w[\w.-]*$/.test(etag) || !Number.isSafeInteger(size) || size < 0) throw noHub(endpoint, url)
  return { etag, size, validator: validator?.startsWith('"') ? validator : undefined }
}

const tellsAll = (headers: Headers) => headers.has('X-Linked-Etag') && headers.has('X-Linked-Size')

function objectOf(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json) ?? {}
  } catch {
    return {}
  }
}

function plain(etag: string | null): string {
  return (etag ?? '').replace(/^W\//, '').replaceAll('"', '')
}

function noHub(endpoint: string, url: string): DitError {
  return new DitError(
    'corrupt',
    `${show(url, 200)} was not answered as the Hugging Face hub answers`,
    `Check HF_ENDPOINT: it is ${endpoint}, and must be a hub's address.`,
  )
}
