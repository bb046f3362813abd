import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const run = promisify(execFile)

// Needs dist/: `npm test` builds it.
describe('the package, installed with its runtime dependencies alone', () => {
  const app = mkdtempSync(join(tmpdir(), 'webdit-app-'))
  const installed = join(app, 'node_modules/webdit')

  beforeAll(() => {
    execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', app], { cwd: ROOT })
    const archive = readdirSync(app).find((name) => name.endsWith('.tgz'))!
    mkdirSync(installed, { recursive: true })
    execFileSync('tar', ['-xzf', join(app, archive), '-C', installed, '--strip-components=1'])
    const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    for (const name of Object.keys(dependencies)) {
      mkdirSync(dirname(join(app, 'node_modules', name)), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name))
    }
  })
  afterAll(() => rmSync(app, { recursive: true, force: true }))

  it('brings no weights and no pictures', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    expect(files).toContain('dist/index.js')
    expect(files.filter((name) => /^models|safetensors$|\.png$/.test(name))).toEqual([])
  })

  it('is imported without a word, and lets the process end', async () => {
    const script = "const m = await import('webdit'); console.log(Object.keys(m).join())"
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: app })
    expect(stderr).toBe('')
    expect(stdout.trim().split(',')).toEqual(expect.arrayContaining(['DiffusionPipeline', 'DitError']))
  })

  it('offers the choice of a Vulkan device to other programs', async () => {
    const script = "const m = await import('webdit/vulkan'); console.log(typeof m.ensureVulkan, typeof m.chooseVulkan)"
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: app })
    expect(stdout.trim()).toBe('function function')
  })

  it('has a command that explains itself', async () => {
    const bin = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')).bin.webdit
    const { stdout } = await run(join(installed, bin), ['--help'], { cwd: app })
    for (const command of ['generate', 'verify', 'doctor']) expect(stdout).toContain(command)
  })
})
