import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DitError } from '../../runtime/errors.ts'

/** Keeps two processes from drawing the same rows. */
const LOCK = '.webdit-batch.lock'

/**
 * Holds the folder for `body`. A lock whose process has ended is nobody's.
 * @throws DitError 'io' where another process holds it
 */
export async function withLock<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK)
  await take(path, folder)
  try {
    return await body()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string, folder: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(String(process.pid)).finally(() => file.close())
      return
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw new DitError('io', `cannot write ${path} (${code})`, undefined, { cause })
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    if (tries > 0 || lives(holder)) {
      throw new DitError(
        'io',
        `process ${holder} draws into ${folder} already`,
        `Wait until it has ended, or choose another --output_directory. If there is no such process, delete ${path}.`,
      )
    }
    await rm(path, { force: true })
  }
}

/** Ours is no other: in a container every first process has the same number. */
function lives(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
