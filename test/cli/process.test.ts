import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { VERSION } from '../../src/cli/package_info.ts'
import { GOLDEN } from '../support/golden_io.ts'

// The built program, as a shell starts it: `npm test` builds dist/.
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CLI = join(ROOT, 'dist/cli.js')
const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-process-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** Software drivers compile for seconds, and the machine may have more to do. */
const DRAWS = { timeout: 90_000 }

/** Tests run with the Vulkan that vitest.config.ts chose; without it the program chooses, and starts itself again. */
function choosingEnvironment(): NodeJS.ProcessEnv {
  const { WEBDIT_SOFTWARE_VULKAN, WEBDIT_SYSTEM_DRIVERS, ...env } = process.env
  if (!WEBDIT_SOFTWARE_VULKAN) return env
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'LD_LIBRARY_PATH', 'WEBDIT_VULKAN_NOTE']) delete env[name]
  return WEBDIT_SYSTEM_DRIVERS ? { ...env, VK_DRIVER_FILES: WEBDIT_SYSTEM_DRIVERS } : env
}

function start(argv: string[], env = process.env, cli = CLI) {
  const child = spawn(process.execPath, [cli, ...argv], { cwd: temporary, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const result = { code: null as number | null, out: '', err: '' }
  child.stdout.on('data', (chunk) => (result.out += chunk))
  child.stderr.on('data', (chunk) => (result.err += chunk))
  const ended = new Promise<typeof result>((resolve) => {
    child.on('close', (code) => resolve({ ...result, code }))
  })
  return { child, result, ended }
}

/** The program as an application has it: with its dependencies, and without those of development. */
function installedWithoutSwiftShader(): string {
  const modules = join(temporary, 'node_modules')
  const installed = join(modules, 'webdit')
  mkdirSync(installed, { recursive: true })
  cpSync(join(ROOT, 'dist'), join(installed, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'))
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  return join(installed, 'dist/cli.js')
}

describe('the program', () => {
  it('helps whoever gives nothing, and tells its version', async () => {
    const help = await start([]).ended
    expect(help).toMatchObject({ code: 0, err: '' })
    for (const command of ['generate', 'verify', 'doctor']) expect(help.out).toContain(`\n  ${command} `)
    expect(await start(['--version']).ended).toEqual({ code: 0, out: `${VERSION}\n`, err: '' })
  })

  it('refuses a folder that is not there in two lines, and ends', async () => {
    const { code, out, err } = await start(['generate', '--model', 'nowhere', '--prompt', 'cat']).ended
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err.trimEnd().split('\n')).toEqual([
      'webdit: there is no folder nowhere',
      expect.stringMatching(/^ {2}A diffusers/),
    ])
  })

  it('draws, says on stderr what it does, and on stdout only where the picture is', DRAWS, async () => {
    const flags = ['--no-use-resolution-binning', '--height', '80', '--width', '112', '--num-inference-steps', '2']
    const { code, out, err } = await start([
      'generate',
      '--model',
      MODEL,
      '--prompt',
      'red apple',
      '--seed',
      '1',
      ...flags,
    ]).ended
    expect(code).toBe(0)
    expect(out).toBe(`${join('outputs', 'red-apple-seed-1.png')}\n`)
    expect(err).toMatch(/^device: .+ tier f32\)$/m)
    expect(err).toMatch(/^step 2 of 2, [\d.]+ (it\/s|s\/it)/m)
    expect(readFileSync(join(temporary, out.trim())).toString('latin1', 1, 4)).toBe('PNG')
  })

  it.runIf(process.platform === 'linux')('names what is missing where nothing computes', async () => {
    const cli = installedWithoutSwiftShader()
    const env = { ...choosingEnvironment(), VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' }
    const generate = await start(['generate', '--model', MODEL, '--prompt', 'cat'], env, cli).ended
    expect({ code: generate.code, out: generate.out }).toEqual({ code: 1, out: '' })
    expect(generate.err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^webdit: no Vulkan device \(/),
      expect.stringContaining('npm i -D @sparticuz/chromium'),
    ])
    const doctor = await start(['doctor'], env, cli).ended
    expect({ code: doctor.code, err: doctor.err }).toEqual({ code: 1, err: '' })
    expect(doctor.out).toMatch(/^missing: SwiftShader.*\n {2}npm i -D @sparticuz\/chromium/m)
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends soon after %s, with one line and no file', DRAWS, async (signal, expected) => {
    const folder = join(temporary, signal)
    const flags = ['--model', MODEL, '--height', '80', '--width', '112', '--num_inference_steps', '900']
    const argv = ['generate', '--prompt', 'cat', '--output_directory', folder, '--no_use_resolution_binning', ...flags]
    const { child, result, ended } = start(argv, choosingEnvironment())
    await expect.poll(() => result.err, { timeout: 80_000 }).toContain('step 1 of 900')
    const began = performance.now()
    child.kill(signal)
    const { code, out, err } = await ended
    expect({ code, out }).toEqual({ code: expected, out: '' })
    expect(err.trimEnd().split('\n').at(-1)).toBe('webdit: cancelled')
    expect(err.match(/cancelled/g)).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(readdirSync(folder)).toEqual([])
  })
})
