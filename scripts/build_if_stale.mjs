import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCES = ['src', 'package.json', 'vite.config.ts', 'vite.browser.ts']

/** Runs Vite's build (without the types) where a source is newer than dist/; below a second. */
export async function buildIfStale() {
  const built = join(ROOT, 'dist/index.js')
  if (existsSync(built) && newest(SOURCES.map((name) => join(ROOT, name))) <= statSync(built).mtimeMs) return
  console.error('Building dist/')
  const { build } = await import('vite')
  await build({ root: ROOT, configFile: join(ROOT, 'vite.config.ts'), logLevel: 'warn' })
}

/** Latest change under `paths`, in ms. Folders count: a file removed changes nothing else. */
function newest(paths) {
  return Math.max(
    ...paths.map((path) => {
      const stats = statSync(path)
      if (!stats.isDirectory()) return stats.mtimeMs
      return Math.max(stats.mtimeMs, newest(readdirSync(path).map((name) => join(path, name))))
    }),
  )
}
