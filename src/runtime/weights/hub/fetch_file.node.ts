import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { DitError } from '../../errors.ts'
import { isFile, type RepoCache } from './cache.node.ts'
import { download } from './download.node.ts'
import { type Asked, cannotWrite, where } from './errors.ts'
import { withFileLock } from './file_lock.node.ts'
import { type FileInfo, fileUrl } from './questions.ts'
import type { Connection } from './requests.ts'

/** A file on its way into the cache. */
export interface FetchNews {
  /** As errors name it: org/name/path. */
  readonly file: string
  /** Bytes that are here, and of all of the file. */
  readonly bytes: number
  readonly size: number
  /** Another process or thread fetches it; this one waits. */
  readonly waiting: boolean
}

export interface Fetching {
  readonly connection: Connection
  readonly cache: RepoCache
  /** The cache's folder, for people. */
  readonly root: string
  readonly commit: string
  readonly onFetch?: (news: FetchNews) => void
  /** See Download. */
  readonly pause?: number
}

/**
 * Brings a file into its snapshot, unless it is there: from the blobs, or from the hub. Of several processes that want it
 * one fetches it, and the others wait.
 *
 * @throws DitError as download()
 */
export async function fetchFile(fetching: Fetching, asked: Asked & { path: string }, info: FileInfo): Promise<void> {
  const { connection, cache, root, commit, onFetch, pause } = fetching
  const { path } = asked
  const { etag, size } = info
  const incomplete = cache.incomplete(etag)
  const inSnapshot = join(cache.snapshot(commit), ...path.split('/'))
  const tell = (bytes: number, waiting = false) => onFetch?.({ file: where(asked), bytes, size, waiting })

  async function bring(): Promise<void> {
    if (await isFile(inSnapshot)) return
    const here = await isBlob(cache.blob(etag), size)
    if (!here) {
      const url = fileUrl(connection, asked.hub, commit, path)
      await download(connection, { ...info, asked, url, incomplete, cache: root, onBytes: tell, pause })
      await fs.rename(incomplete, cache.blob(etag)).catch(async (error) => {
        if (!(await isBlob(cache.blob(etag), size))) throw error // another process was first
      })
    }
    await cache.link(commit, path, etag, !here)
    // Not before there is something to find for those who are offline later.
    await cache.writeRef(asked.hub.revision, commit)
  }

  try {
    await cache.prepare()
    await withFileLock(cache.lock(etag), bring, { signal: connection.signal, onWait: () => tell(0, true) })
  } catch (error) {
    throw error instanceof DitError ? error : cannotWrite(error, where(asked), root)
  }
}

/** Whether it is there whole: only whole files get their name, but others write to this cache too. */
async function isBlob(path: string, size: number): Promise<boolean> {
  const stats = await fs.stat(path).catch(() => undefined)
  if (stats && stats.size !== size) await fs.rm(path, { force: true })
  return stats?.size === size
}
