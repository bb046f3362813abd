import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { packedApp } from '../../support/packed_app.ts'

const run = promisify(execFile)

// Needs dist/: `npm test` builds it.
describe('the package, installed with its runtime dependencies alone', () => {
  const { folder: app, installed, remove } = packedApp()
  afterAll(remove)

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
