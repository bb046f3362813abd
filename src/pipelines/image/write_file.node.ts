import * as fs from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DitError } from '../../runtime/errors.ts'

/** What to do about the system's commonest refusals. */
const HINTS: Record<string, string> = {
  EACCES: 'Give yourself the right to write there, or choose another folder.',
  EPERM: 'Give yourself the right to write there, or choose another folder.',
  ENOENT: 'Create the folder first, or choose another.',
  ENOTDIR: 'A part of the path is a file: choose another folder.',
  EISDIR: 'There is a folder of that name: choose another file name.',
  ENOSPC: 'The disk is full: free some space, or choose another folder.',
  EDQUOT: 'Your disk quota is used up: free some space, or choose another folder.',
  EROFS: 'The disk is read-only: choose another folder.',
  ENAMETOOLONG: 'Choose a shorter file name.',
}

/**
 * Writes a file so that it appears whole or not at all: under a temporary name in the same folder first, then
 * flushed to the disk and renamed. A file of that name is replaced.
 * @throws DitError 'io'
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 40)}.${crypto.randomUUID()}.tmp`)
  try {
    const handle = await fs.open(temporary, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(temporary, path)
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    const hint = HINTS[code] ?? 'Choose another folder.'
    throw new DitError('io', `cannot write ${path} (${code})`, hint, { cause: error })
  }
}
