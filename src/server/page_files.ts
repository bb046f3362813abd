import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a page consists of. */
export interface PageFiles {
  /** None of that path. */
  file(path: string): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly type: string } | undefined>
}

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  css: 'text/css',
  json: 'application/json',
  wasm: 'application/wasm',
  svg: 'image/svg+xml',
  png: 'image/png',
}

/**
 * The files of a built page. They are listed now, and a request only chooses from the list: no path of a request comes near
 * the disk.
 *
 * @returns undefined where there is no such page
 */
export async function pageFiles(folder: string): Promise<PageFiles | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = new Map<string, string>()
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length).replaceAll('\\', '/').replace(/^\/*/, '/'), path)
  }
  const index = files.get('/index.html')
  if (index === undefined) return undefined
  files.set('/', index)
  return {
    async file(path) {
      const file = files.get(path)
      if (file === undefined) return undefined
      const type = TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
      return { bytes: new Uint8Array(await readFile(file)), type }
    },
  }
}
