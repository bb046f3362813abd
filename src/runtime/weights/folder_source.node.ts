import type { FileHandle } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { DitError } from '../errors.ts'
import { checkPath, describePath, fileEndsEarly, fileNotFound, readTextFrom, type Source } from './source.ts'

/** Idle files kept open; a file that is being read stays open beside them. */
const MAX_IDLE_HANDLES = 8

interface OpenFile {
  handle: Promise<FileHandle>
  readers: number
}

/**
 * A checkpoint folder on disk (Node and Deno). Symbolic links are followed: the hub's cache is made of them.
 * @throws DitError 'not-found' where there is no such folder
 */
export async function openFolder(root: string): Promise<Source> {
  const layout =
    'A diffusers checkpoint is a folder with model_index.json and one sub-folder per component: transformer/, vae/, text_encoder/, tokenizer/, scheduler/.'
  let isFolder: boolean
  try {
    isFolder = (await fs.stat(root)).isDirectory()
  } catch (error) {
    if (!isMissing(error)) throw readFailure(root, error)
    throw new DitError('not-found', `there is no folder ${root}`, layout, { cause: error })
  }
  if (!isFolder) throw new DitError('not-found', `${root} is a file, not a folder`, layout)
  return folderSource(root)
}

function folderSource(root: string): Source {
  const files = new Map<string, OpenFile>()

  /** Lends the file's handle to `use`; positional reads share one handle safely. */
  async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
    const file = files.get(path) ?? { handle: fs.open(join(root, checkPath(path)), 'r'), readers: 0 }
    files.delete(path)
    files.set(path, file) // last in the map = used last
    file.readers++
    try {
      return await use(await file.handle)
    } catch (error) {
      if (files.get(path) === file && (await opened(file)) === undefined) files.delete(path)
      if (error instanceof DitError) throw error
      throw isMissing(error) ? fileNotFound(source, path, error) : readFailure(describePath(source, path), error)
    } finally {
      file.readers--
      await closeIdle(MAX_IDLE_HANDLES)
    }
  }

  async function closeIdle(keep: number): Promise<void> {
    const idle = [...files].filter(([, file]) => file.readers === 0)
    const surplus = idle.slice(0, Math.max(0, idle.length - keep))
    for (const [path] of surplus) files.delete(path)
    await Promise.all(surplus.map(async ([, file]) => (await opened(file))?.close()))
  }

  const source: Source = {
    name: root.replace(/(?<=.)[/\\]+$/, ''),
    size: (path) => withFile(path, async (handle) => (await fileStat(handle, source, path)).size),
    async exists(path) {
      try {
        return (await fs.stat(join(root, checkPath(path)))).isFile()
      } catch (error) {
        if (isMissing(error)) return false
        throw error instanceof DitError ? error : readFailure(describePath(source, path), error)
      }
    },
    async list(dir) {
      try {
        return (await fs.readdir(join(root, checkPath(dir)))).sort()
      } catch (error) {
        if (isMissing(error)) return []
        throw error instanceof DitError ? error : readFailure(describePath(source, dir), error)
      }
    },
    readInto: (path, offset, target) =>
      withFile(path, async (handle) => {
        for (let done = 0; done < target.byteLength; ) {
          const length = Math.min(target.byteLength - done, 2 ** 30) // one read takes less than 2 GiB
          const { bytesRead } = await handle.read(target, done, length, offset + done)
          if (bytesRead === 0) throw fileEndsEarly(source, path, offset + target.byteLength, offset + done)
          done += bytesRead
        }
      }),
    readText: (path, maxBytes) => readTextFrom(source, path, maxBytes),
    close: () => closeIdle(0),
  }
  return source
}

async function fileStat(handle: FileHandle, source: Source, path: string) {
  const stats = await handle.stat()
  if (!stats.isFile()) throw fileNotFound(source, path)
  return stats
}

async function opened(file: OpenFile): Promise<FileHandle | undefined> {
  return file.handle.catch(() => undefined)
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
}

function readFailure(where: string, error: unknown): DitError {
  const code = codeOf(error)
  const hint =
    code === 'EACCES' || code === 'EPERM' ? 'Give yourself the right to read it (chmod u+r).' : 'Check the disk.'
  return new DitError('io', `cannot read ${where} (${code})`, hint, { cause: error })
}
