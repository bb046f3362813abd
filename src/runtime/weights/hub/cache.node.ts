import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** A model's folder in the cache that Python's huggingface_hub has: blobs named by etag, and snapshots that link to them. */
export interface RepoCache {
  blob(etag: string): string
  /** The part of a blob that is here so far. */
  incomplete(etag: string): string
  lock(etag: string): string
  snapshot(commit: string): string
  /** The commit that a branch or tag was when it was last asked for. */
  readRef(revision: string): Promise<string | undefined>
  /** A cache that cannot be written to is left as it is. */
  writeRef(revision: string, commit: string): Promise<void>
  /** Makes the folders that are written to. */
  prepare(): Promise<void>
  /** Puts a blob into a snapshot, as `path`. `fresh`: nothing else links to the blob. */
  link(commit: string, path: string, etag: string, fresh: boolean): Promise<void>
}

/** @param copies put the files themselves into snapshots */
export function repoCache(root: string, id: string, copies = false): RepoCache {
  const name = `models--${id.replace('/', '--')}`
  const folder = join(root, name)
  const blob = (etag: string) => join(folder, 'blobs', etag)
  const snapshot = (commit: string) => join(folder, 'snapshots', commit)
  const ref = (revision: string) => join(folder, 'refs', ...revision.split('/'))
  const readRef = (revision: string) =>
    fs.readFile(ref(revision), 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    )
  return {
    blob,
    incomplete: (etag) => `${blob(etag)}.incomplete`,
    // Not Python's own lock: it holds that with flock, which Node does not have, and leaves the file behind.
    lock: (etag) => join(root, '.locks', name, `${etag}.webdit.lock`),
    snapshot,
    readRef,
    async writeRef(revision, commit) {
      if (revision === commit || (await readRef(revision)) === commit) return
      const made = `${ref(revision)}.${randomUUID()}.tmp`
      try {
        await fs.mkdir(dirname(made), { recursive: true })
        await fs.writeFile(made, commit)
        await fs.rename(made, ref(revision))
      } catch {
        // Only whoever is offline later misses it.
      }
    },
    async prepare() {
      await fs.mkdir(join(folder, 'blobs'), { recursive: true })
      await fs.mkdir(join(root, '.locks', name), { recursive: true })
      await tagCache(root)
    },
    async link(commit, path, etag, fresh) {
      const place = join(snapshot(commit), ...path.split('/'))
      await fs.mkdir(dirname(place), { recursive: true })
      const put = fresh ? fs.rename : fs.copyFile
      if (copies) return put(blob(etag), place)
      const target = relative(dirname(place), blob(etag))
      await fs.symlink(target, place).catch(async (error) => {
        if (error.code !== 'EEXIST') return put(blob(etag), place) // Windows lets only developers make links
        if ((await fs.readlink(place).catch(() => undefined)) === target) return
        await fs.rm(place)
        await fs.symlink(target, place)
      })
    },
  }
}

export async function isFile(path: string): Promise<boolean> {
  return fs.stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}

/** Tells backups that this can be fetched again (bford.info/cachedir). */
async function tagCache(root: string): Promise<void> {
  const text = 'Signature: 8a477f597d28d172789f06886806bc55\n# Models of the Hugging Face hub.\n'
  await fs.writeFile(join(root, 'CACHEDIR.TAG'), text, { flag: 'wx' }).catch(() => {})
}
