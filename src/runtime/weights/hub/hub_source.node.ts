import * as fs from 'node:fs/promises'
import { DitError } from '../../errors.ts'
import { openFolder } from '../folder_source.node.ts'
import { httpSource } from '../http_source.ts'
import { checkPath, fileNotFound, joinPath, readTextFrom, type Source } from '../source.ts'
import { cannotWrite } from './errors.ts'
import { type Fetching, fetchFile } from './fetch_file.node.ts'
import { HeadReader } from './heads.ts'
import { type HubId, hubText } from './hub_id.ts'
import { askFile, type FileInfo, fileUrl, type Revision } from './questions.ts'

/** A model of the hub at one commit. */
export interface HubSource extends Source {
  /** org/name@commit: what others open to read the same files. */
  readonly pinned: string
}

/**
 * A model of the hub whose files come into the cache when they are read first. What only the header of a weights file
 * is asked for (a plan needs no more) does not fetch the file.
 */
export function hubSource(hub: HubId, { commit, files }: Revision, how: Omit<Fetching, 'commit'>): HubSource {
  const { cache, connection, root } = how
  const { endpoint, token, signal } = connection
  const there = new Set(files)
  const infos = new Map<string, Promise<FileInfo>>()
  const fetched = new Map<string, Promise<void>>()
  const remote = httpSource(fileUrl(connection, hub, commit, ''), {
    headers: { 'Accept-Encoding': 'identity', ...(token && { Authorization: `Bearer ${token}` }) },
    signal,
    maxWholeBytes: 0, // a server that gives no ranges is asked for files alone
    onNotice() {},
  })
  const heads = new HeadReader(remote)
  let snapshot: Promise<Source> | undefined

  function folder(): Promise<Source> {
    const path = cache.snapshot(commit)
    snapshot ??= fs
      .mkdir(path, { recursive: true })
      .catch((error) => {
        throw cannotWrite(error, hubText(hub), root)
      })
      .then(() => openFolder(path))
    return snapshot
  }

  async function isHere(path: string): Promise<boolean> {
    if (!there.has(checkPath(path))) throw fileNotFound(source, path)
    return (await folder()).exists(path)
  }

  function info(path: string): Promise<FileInfo> {
    return remembered(infos, path, () => askFile(connection, hub, commit, path))
  }

  /** The folder, with this file in it. */
  async function withFile(path: string): Promise<Source> {
    const local = await folder()
    if (await isHere(path)) return local
    await remembered(fetched, path, async () => {
      const asked = { endpoint, hub, path, token: token !== undefined }
      await fetchFile({ ...how, commit }, asked, await info(path))
      await heads.compare(path, local)
    })
    return local
  }

  const source: HubSource = {
    name: hubText(hub),
    pinned: `${hub.id}@${commit}`,
    exists: async (path) => there.has(checkPath(path)),
    async list(dir) {
      const start = joinPath(checkPath(dir), ' ').slice(0, -1)
      const inside = files.filter((file) => file.startsWith(start))
      return [...new Set(inside.map((file) => file.slice(start.length).split('/')[0]))].sort()
    },
    async size(path) {
      return (await isHere(path)) ? (await folder()).size(path) : (await info(path)).size
    },
    async readInto(path, offset, target) {
      if (!(await isHere(path)) && (await heads.read(path, offset, target))) return
      await (await withFile(path)).readInto(path, offset, target)
    },
    readText: (path, maxBytes) => readTextFrom(source, path, maxBytes),
    async close() {
      await remote.close()
      await (await snapshot?.catch(() => undefined))?.close()
    },
  }
  return source
}

/** The answer to a question asked once; failures are not remembered. */
function remembered<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  let answer = answers.get(key)
  if (!answer) {
    answer = ask()
    answers.set(key, answer)
    answer.catch(() => answers.delete(key))
  }
  return answer
}

/** A snapshot of the cache when no hub can be asked. */
export async function cachedSource(hub: HubId, commit: string, path: string, why: string): Promise<HubSource> {
  const folder = await openFolder(path)
  const ifHere = async <T>(file: string, read: () => Promise<T>): Promise<T> => {
    if (await folder.exists(file)) return read()
    throw new DitError(
      'not-found',
      `${hubText(hub)}/${file} is not in the cache, and ${why}`,
      'Run once with a connection to fetch it.',
    )
  }
  return {
    ...folder,
    name: `${hubText(hub)} (as the cache has it)`,
    pinned: `${hub.id}@${commit}`,
    size: (file) => ifHere(file, () => folder.size(file)),
    readInto: (file, offset, target) => ifHere(file, () => folder.readInto(file, offset, target)),
    readText: (file, maxBytes) => ifHere(file, () => folder.readText(file, maxBytes)),
  }
}
