import * as fs from 'node:fs/promises'
import { DitError } from '../../errors.ts'
import { repoCache } from './cache.node.ts'
import { Unreachable } from './errors.ts'
import type { FetchNews } from './fetch_file.node.ts'
import { type HubId, hubText, isCommit } from './hub_id.ts'
import { cachedSource, type HubSource, hubSource } from './hub_source.node.ts'
import { progressLines } from './progress.node.ts'
import { askRevision } from './questions.ts'
import { hubSettings } from './settings.node.ts'

export type { HubSource }

export interface HubOptions {
  readonly signal?: AbortSignal
  /** Told of files on their way. Default: lines on stderr. */
  readonly onFetch?: (news: FetchNews) => void
  /** Told where the cache stands in for a hub that cannot be reached. Default: console.warn. */
  readonly onNotice?: (message: string) => void
  /** Wait before a broken download goes on, in ms. Default 1000. */
  readonly pause?: number
}

/**
 * A model of the Hugging Face hub (Node, Deno): one question to the hub says which commit it is, and files come into the
 * cache when they are read. docs/models.md tells which environment variables count.
 *
 * @throws DitError 'not-found' for no such model or revision, or nothing in the cache while offline; 'io' where the hub
 *   refuses or cannot be reached; 'aborted'
 */
export async function openHub(hub: HubId, options: HubOptions = {}): Promise<HubSource> {
  const { signal, onFetch, onNotice = console.warn, pause } = options
  const settings = await hubSettings()
  const { endpoint, cache: root, offline, quiet } = settings
  const cache = repoCache(root, hub.id, settings.copies)

  /** What the cache has of it. */
  async function cached(why: string): Promise<HubSource | undefined> {
    const commit = isCommit(hub.revision) ? hub.revision : await cache.readRef(hub.revision)
    const snapshot = commit && isCommit(commit) ? cache.snapshot(commit) : undefined
    return snapshot && (await hasFiles(snapshot)) ? cachedSource(hub, commit!, snapshot, why) : undefined
  }

  if (offline) {
    const why = 'HF_HUB_OFFLINE forbids to fetch it'
    const found = await cached(why)
    if (found) return found
    throw new DitError(
      'not-found',
      `${hubText(hub)} is not in the cache ${root}, and ${why}`,
      'Run once without HF_HUB_OFFLINE, or set HF_HUB_CACHE (or HF_HOME) to where it is.',
    )
  }
  const connection = { ...settings, signal }
  try {
    const revision = await askRevision(connection, hub)
    if (await hasFiles(cache.snapshot(revision.commit))) await cache.writeRef(hub.revision, revision.commit)
    const telling = onFetch ?? (quiet ? undefined : progressLines())
    return hubSource(hub, revision, { connection, cache, root, onFetch: telling, pause })
  } catch (error) {
    const found = error instanceof Unreachable ? await cached(`${endpoint} cannot be reached`) : undefined
    if (!found) throw error
    onNotice(`${(error as Error).message}; ${hubText(hub)} is taken as it is in the cache`)
    return found
  }
}

async function hasFiles(folder: string): Promise<boolean> {
  return (await fs.readdir(folder).catch(() => [])).length > 0
}
