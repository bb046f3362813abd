import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { describeAdapters } from '../../../src/runtime/platform/adapters.node.ts'

const hasNvidia = (missing: { what: string }[]) => missing.some(({ what }) => what.includes('NVIDIA'))

describe.skipIf(process.platform !== 'linux')('describeAdapters', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'webdit-vulkan-'))
    // Nothing of this machine's own: the process is as one that the fallback started.
    vi.stubEnv('WEBDIT_SOFTWARE_VULKAN', '1')
    vi.stubEnv('WEBDIT_VULKAN_NOTE', 'no GPU')
    vi.stubEnv('VK_ICD_FILENAMES', join(folder, 'own/vk_swiftshader_icd.json'))
    vi.stubEnv('WEBDIT_SYSTEM_DRIVERS', undefined)
    vi.stubEnv('XDG_CONFIG_HOME', join(folder, 'config'))
    vi.stubEnv('XDG_DATA_HOME', join(folder, 'data'))
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })

  it('finds a loader and drivers where Vulkan looks for them, and not the fallback’s own', async () => {
    for (const dir of ['own', 'lib', 'data/vulkan/icd.d']) mkdirSync(join(folder, dir), { recursive: true })
    for (const dir of ['own', 'lib']) writeFileSync(join(folder, dir, 'libvulkan.so.1'), '')
    const manifest = join(folder, 'data/vulkan/icd.d/card_icd.json')
    writeFileSync(manifest, '{}')
    vi.stubEnv('LD_LIBRARY_PATH', `${join(folder, 'own')}:${join(folder, 'lib')}`)
    const report = await describeAdapters()
    expect(report.choice).toEqual({ kind: 'swiftshader', why: 'no GPU' })
    expect(report.loader).toBe(join(folder, 'lib/libvulkan.so.1'))
    expect(report.drivers).toContain(manifest)
    expect(report.missing.some(({ what }) => what.includes('loader'))).toBe(false)
    // The driver is there, and yet the choice fell on SwiftShader.
    expect(report.missing.some(({ what }) => what.includes('those found do not'))).toBe(!hasNvidia(report.missing))

    vi.stubEnv('WEBDIT_SYSTEM_DRIVERS', `/nowhere.json:${manifest}`)
    expect((await describeAdapters()).drivers).toEqual([manifest])
  })

  it('names a command for each thing missing', async () => {
    vi.stubEnv('LD_LIBRARY_PATH', '')
    const { loader, drivers, missing } = await describeAdapters()
    expect(missing.some(({ what }) => what.includes('libvulkan.so.1'))).toBe(loader === undefined)
    if (drivers.length === 0) expect(missing.some(({ what }) => what.includes('driver'))).toBe(true)
    for (const { mend } of missing) expect(mend).toMatch(/^(apt-get|usermod|npm) /)
  })
})
