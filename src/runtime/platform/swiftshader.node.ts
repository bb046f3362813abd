import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { DitError } from '../errors.ts'
import { makeFolders } from './make_folders.node.ts'
import { readTar } from './ustar.ts'

/** The development dependency that carries SwiftShader; 147.0.0 is its last version for Node 20. */
export const SWIFTSHADER_PACKAGE = '@sparticuz/chromium@147.0.0'

const REINSTALL = `run npm install again, or npm i -D ${SWIFTSHADER_PACKAGE}`

/** What of the archive a Vulkan program needs: the driver, its manifest and a loader. */
const FILES = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', 'libvulkan.so.1']

/** The archive in the installed package, or undefined: not installed, or not built for this processor. */
export function findSwiftShaderArchive(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  try {
    // The package exports no more than its entry: build/cjs/index.cjs
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
    return join(dirname(entry), '..', '..', 'bin', 'swiftshader.tar.br')
  } catch {
    return undefined
  }
}

export interface Extraction {
  /** Folder with the files. */
  dir: string
  /** True where no cache folder was writable: whoever extracted it removes it. */
  temporary: boolean
}

/**
 * Unpacks SwiftShader into a cache folder, or finds it there. Several processes may do so at once: each unpacks beside
 * the cache and renames into place, so that the folder is whole or not there.
 *
 * @param archive `swiftshader.tar.br`
 * @param cacheRoot folder for webdit's caches; by default the user's
 */
export async function extractSwiftShader(archive: string, cacheRoot = userCache()): Promise<Extraction> {
  const compressed = await readFile(archive)
  const hash = createHash('sha256').update(compressed).digest('hex').slice(0, 12)
  const dir = join(cacheRoot, `swiftshader-${SWIFTSHADER_PACKAGE.split('@').at(-1)}-${hash}`)
  if (await isWhole(dir)) return { dir, temporary: false }

  const files = await unpack(compressed)
  const staging = `${dir}.${randomUUID()}`
  try {
    await makeFolders(staging, 0o700)
    await writeAll(staging, files)
    await moveInto(staging, dir)
    return { dir, temporary: false }
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {})
    if (error instanceof DitError) throw error
    // A name in the shared temporary folder that others could foresee could be theirs: take a fresh one each time.
    const own = await mkdtemp(join(tmpdir(), `${basename(dir)}-`))
    await writeAll(own, files)
    return { dir: own, temporary: true }
  }
}

/** $XDG_CACHE_HOME/webdit or ~/.cache/webdit. */
function userCache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'webdit')
}

async function unpack(compressed: Uint8Array): Promise<Map<string, Uint8Array>> {
  const archive = await promisify(brotliDecompress)(compressed).catch((cause: unknown) => {
    throw new DitError('corrupt', "SwiftShader's archive does not decompress", REINSTALL, { cause })
  })
  const files = new Map([...readTar(archive)].map(({ name, bytes }) => [basename(name), bytes]))
  const missing = FILES.filter((name) => !files.has(name))
  if (missing.length > 0) {
    throw new DitError('corrupt', `SwiftShader's archive lacks ${missing.join(', ')}`, REINSTALL)
  }
  return new Map(FILES.map((name) => [name, files.get(name)!]))
}

/** The sizes go last, so that a folder with them has everything else. */
async function writeAll(dir: string, files: Map<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of files) await writeFile(join(dir, name), bytes)
  const sizes = Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.length]))
  await writeFile(join(dir, 'sizes.json'), JSON.stringify(sizes))
}

async function isWhole(dir: string): Promise<boolean> {
  try {
    const sizes = JSON.parse(await readFile(join(dir, 'sizes.json'), 'utf8')) as Record<string, number>
    const found = await Promise.all(FILES.map((name) => stat(join(dir, name))))
    return FILES.every((name, i) => found[i].isFile() && found[i].size === sizes[name])
  } catch {
    return false
  }
}

async function moveInto(staging: string, dir: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await rename(staging, dir)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (attempt === 3 || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) throw error
    }
    // Another process was first, or the folder there is damaged: then step over it.
    if (await isWhole(dir)) return rm(staging, { recursive: true, force: true })
    const damaged = `${dir}.${randomUUID()}`
    await rename(dir, damaged).catch(() => {})
    await rm(damaged, { recursive: true, force: true })
  }
}
