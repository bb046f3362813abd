import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { readTar } from '../../../src/runtime/platform/ustar.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const decompress = promisify(brotliDecompress)

/** SwiftShader computes: the same on every machine, and Node's tests run on it too. */
const FLAGS = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/**
 * Starts the headless Chromium of npm @sparticuz/chromium, or the one that WEBDIT_CHROMIUM names.
 * @returns what is missing and how to get it, where there is none; in CI this is an error
 */
export async function startChromium(): Promise<Browser | string> {
  try {
    const { WEBDIT_CHROMIUM: own } = process.env
    const { path, env } = own ? { path: own, env: {} } : await unpackChromium()
    return await chromium.launch({ executablePath: path, args: FLAGS, env: { ...process.env, ...env } as Environment })
  } catch (error) {
    const reason = `Chromium does not start: ${(error as Error).message}`
    if (process.env.CI) throw new Error(reason)
    console.warn(`${reason}\nTests in the browser are skipped.`)
    return reason
  }
}

type Environment = Record<string, string>

/** The package's archives, unpacked under node_modules once for all; its own unpacking shares /tmp with everybody. */
async function unpackChromium(): Promise<{ path: string; env: Environment }> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('@sparticuz/chromium is for Linux x64. Set WEBDIT_CHROMIUM to the path of a Chrome or Chromium.')
  }
  // The package exports no more than its entry: build/cjs/index.cjs
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const archives = join(dirname(entry), '..', '..', 'bin')
  const { version } = JSON.parse(await readFile(join(archives, '..', 'package.json'), 'utf8'))
  const folder = join(ROOT, 'node_modules/.cache', `chromium-${version}`)
  if (!existsSync(folder)) {
    const staging = `${folder}.${process.pid}`
    await mkdir(join(staging, 'lib'), { recursive: true })
    await Promise.all([
      decompress(await readFile(join(archives, 'chromium.br'))).then((bytes) =>
        writeFile(join(staging, 'chromium'), bytes, { mode: 0o755 }),
      ),
      unpack(join(archives, 'swiftshader.tar.br'), staging),
      unpack(join(archives, 'al2023.tar.br'), join(staging, 'lib')),
    ])
    // Another process may have been first.
    await rename(staging, folder).catch(() => rm(staging, { recursive: true }))
  }
  const path = join(folder, 'chromium')
  return { path, env: await librariesFor(path, join(folder, 'lib')) }
}

async function unpack(archive: string, folder: string): Promise<void> {
  for (const { name, bytes } of readTar(await decompress(await readFile(archive)))) {
    await writeFile(join(folder, basename(name)), bytes)
  }
}

/** The package brings NSS, NSPR and Expat, for systems without. */
async function librariesFor(program: string, bundled: string): Promise<Environment> {
  if ((await missingLibraries(program, {})).length === 0) return {}
  const env = { LD_LIBRARY_PATH: [bundled, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') }
  const missing = await missingLibraries(program, env)
  if (missing.length === 0) return env
  throw new Error(`${missing.join(', ')} not found. On Debian and Ubuntu: apt-get install libnss3 libexpat1 libgcc-s1`)
}

async function missingLibraries(program: string, env: Environment): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ldd', [program], { env: { ...process.env, ...env } })
  return [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name)
}
