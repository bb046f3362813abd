import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** The loader takes these for the only drivers and finds none: a machine without a GPU, wherever this runs. */
const NO_DRIVER = { VK_DRIVER_FILES: '/dev/null', VK_ICD_FILENAMES: '/dev/null' }

import { extractSwiftShader, findSwiftShaderArchive } from '../../../src/runtime/platform/swiftshader.node.ts'

interface Run {
  code: number | null
  signal: string | null
  report: Record<string, unknown>
  stderr: string
}

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the fallback to SwiftShader', () => {
  // Inside the repository, where npm packages resolve; the other is outside, where only webgpu does.
  const folder = join(ROOT, 'node_modules/.cache', `webdit-test-${process.pid}`)
  const outside = mkdtempSync(join(tmpdir(), 'webdit-installed-'))

  beforeAll(async () => {
    for (const outDir of [folder, outside]) {
      await build({
        root: ROOT,
        configFile: false,
        logLevel: 'error',
        build: {
          ssr: true,
          target: 'node20',
          outDir,
          emptyOutDir: true,
          rolldownOptions: { input: fileURLToPath(new URL('program.ts', import.meta.url)) },
        },
      })
    }
    writeFileSync(join(outside, 'package.json'), '{"type":"module"}')
    mkdirSync(join(outside, 'node_modules'))
    symlinkSync(join(ROOT, 'node_modules/webgpu'), join(outside, 'node_modules/webgpu'))
  })
  afterAll(() => {
    for (const dir of [folder, outside]) rmSync(dir, { recursive: true, force: true })
  })

  const program = (dir = folder) => join(dir, readdirSync(dir).find((name) => name.startsWith('program'))!)
  const start = (command: string[], env: Record<string, string> = NO_DRIVER) =>
    spawn(command[0], command.slice(1), {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  it('starts the command line again, with its arguments and options, and opens a device quietly', async () => {
    const args = ['--prompt', 'two  words', '']
    const run = await ended(start([process.execPath, '--no-deprecation', program(), ...args]))
    expect(run).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(run.report).toMatchObject({ kind: 'swiftshader', architecture: 'swiftshader', args })
    expect(run.report.execArgv).toEqual(['--no-deprecation'])
    expect(run.report.why).toMatch(/^no GPU .*SwiftShader/)
  })

  it("needs no second run where the system's own driver is a software one that works", async () => {
    const { dir } = await extractSwiftShader(findSwiftShaderArchive()!, folder)
    const env = { VK_ICD_FILENAMES: join(dir, 'vk_swiftshader_icd.json'), LD_LIBRARY_PATH: dir }
    const run = await ended(start([process.execPath, program()], env))
    expect(run).toMatchObject({ code: 0, stderr: '', report: { kind: 'swiftshader', architecture: 'swiftshader' } })
    expect(run.report.why).toMatch(/^no GPU: computing on the CPU with SwiftShader driver/)
  })

  it('passes over a driver that does not load', async () => {
    const manifest = join(folder, 'broken_icd.json')
    const icd = { library_path: './no_such_driver.so', api_version: '1.3.0' }
    writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: icd }))
    const run = await ended(
      start([process.execPath, program()], { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest }),
    )
    expect(run).toMatchObject({ code: 0, stderr: '', report: { architecture: 'swiftshader' } })
  })

  it('ends with the exit code of the second run', async () => {
    expect(await ended(start([process.execPath, program(), 'exit', '7']))).toMatchObject({ code: 7, signal: null })
  })

  it('ends by the signal that ended the second run', async () => {
    expect(await ended(start([process.execPath, program(), 'die', 'SIGKILL']))).toMatchObject({ signal: 'SIGKILL' })
  })

  it('sends a signal on to the second run', async () => {
    const child = start([process.execPath, program(), 'wait'])
    child.stdout!.once('data', () => child.kill('SIGTERM'))
    expect(await ended(child)).toMatchObject({ code: 5, signal: null })
  })

  it('leaves nothing behind where no cache folder is writable', async () => {
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    const env = { ...NO_DRIVER, XDG_CACHE_HOME: '/dev/null', TMPDIR: temporary }
    const run = await ended(start([process.execPath, program()], env))
    expect(run).toMatchObject({ code: 0, stderr: '', report: { architecture: 'swiftshader' } })
    expect(await ended(start([process.execPath, program(), 'die', 'SIGTERM'], env))).toMatchObject({
      signal: 'SIGTERM',
    })
    expect(readdirSync(temporary)).toEqual([])
  })

  it('does without the development dependency: an error that names the mending commands', async () => {
    const run = await ended(start([process.execPath, program(outside)]))
    expect(run.report).toMatchObject({ kind: 'none', errorKind: 'no-adapter' })
    expect(run.report.hint).toMatch(/apt-get install.*npm i -D @sparticuz\/chromium@147\.0\.0/)
  })

  it("opens a device where the system's Vulkan is masked", async ({ skip }) => {
    const masked = join(ROOT, 'scripts/masked.sh')
    const run = await ended(start([masked, process.execPath, program()], {}))
    if (run.stderr.startsWith('skipped:')) skip(run.stderr)
    expect(run).toMatchObject({ code: 0, stderr: '', report: { architecture: 'swiftshader' } })
    const count = 'cat /usr/lib/*/libvulkan.so* /usr/share/vulkan/icd.d/* 2>/dev/null | wc -c >&2'
    expect((await ended(start([masked, 'bash', '-c', count], {}))).stderr.trim()).toBe('0')
  })
})

function ended(child: ChildProcess): Promise<Run> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk) => (stdout += chunk))
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const line = stdout.split('\n').find((text) => text.startsWith('{'))
      resolve({ code, signal, report: line ? JSON.parse(line) : {}, stderr })
    })
  })
}
