import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** mkdir -p. Node's own `recursive` never returns where a file system says ENOENT to a new folder, as /proc does. */
export async function makeFolders(folder: string, mode?: number): Promise<void> {
  const there = await stat(folder).then(
    () => true,
    () => false,
  )
  if (there) return
  if (dirname(folder) !== folder) await makeFolders(dirname(folder), mode)
  await mkdir(folder, mode).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error // another process made it
  })
}
