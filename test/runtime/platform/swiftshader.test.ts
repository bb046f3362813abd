import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { extractSwiftShader, findSwiftShaderArchive } from '../../../src/runtime/platform/swiftshader.node.ts'

const archive = findSwiftShaderArchive()

describe.skipIf(!archive)('extractSwiftShader', () => {
  let cache: string
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'webdit-cache-'))
  })
  afterEach(() => rmSync(cache, { recursive: true, force: true }))

  it('unpacks a driver, its manifest and a loader once, and finds them the next time', async () => {
    const first = await extractSwiftShader(archive!, cache)
    expect(first.temporary).toBe(false)
    expect(readdirSync(cache)).toEqual([expect.stringMatching(/^swiftshader-147\.0\.0-[0-9a-f]{12}$/)])
    expect(readFileSync(join(first.dir, 'libvk_swiftshader.so')).subarray(0, 4).toString('latin1')).toBe('\x7fELF')
    const manifest = JSON.parse(readFileSync(join(first.dir, 'vk_swiftshader_icd.json'), 'utf8'))
    expect(manifest.ICD.library_path).toBe('./libvk_swiftshader.so')
    const { ino } = statSync(join(first.dir, 'libvulkan.so.1'))
    expect(await extractSwiftShader(archive!, cache)).toEqual(first)
    expect(statSync(join(first.dir, 'libvulkan.so.1')).ino).toBe(ino)
  })

  it('replaces a folder that is not whole', async () => {
    const { dir } = await extractSwiftShader(archive!, cache)
    const driver = join(dir, 'libvk_swiftshader.so')
    const { size } = statSync(driver)
    truncateSync(driver, 1000)
    expect(await extractSwiftShader(archive!, cache)).toEqual({ dir, temporary: false })
    expect(statSync(driver).size).toBe(size)
    rmSync(join(dir, 'libvulkan.so.1'))
    await extractSwiftShader(archive!, cache)
    expect(readdirSync(dir)).toContain('libvulkan.so.1')
    expect(readdirSync(cache)).toHaveLength(1)
  })

  it('serves several at once, from one folder', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => extractSwiftShader(archive!, cache)))
    expect(new Set(all.map(({ dir }) => dir)).size).toBe(1)
    expect(all.every(({ temporary }) => !temporary)).toBe(true)
    expect(readdirSync(cache)).toHaveLength(1)
  })

  it('takes a fresh temporary folder where the cache is not writable', async () => {
    const file = join(cache, 'a file')
    writeFileSync(file, '')
    const first = await extractSwiftShader(archive!, file)
    const second = await extractSwiftShader(archive!, file)
    for (const { dir, temporary } of [first, second]) {
      expect(temporary).toBe(true)
      expect(readdirSync(dir)).toContain('libvk_swiftshader.so')
      rmSync(dir, { recursive: true })
    }
    expect(first.dir).not.toBe(second.dir)
  })

  it.runIf(process.platform === 'linux')('does not wait for a file system that makes no folders', async () => {
    const { dir, temporary } = await extractSwiftShader(archive!, '/proc/webdit')
    expect(temporary).toBe(true)
    rmSync(dir, { recursive: true })
  })

  it('refuses an archive that was cut', async () => {
    const cut = join(cache, 'cut.tar.br')
    const bytes = readFileSync(archive!)
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2))
    await expect(extractSwiftShader(cut, cache)).rejects.toMatchObject({
      kind: 'corrupt',
      hint: expect.stringContaining('npm install'),
    })
    expect(readdirSync(cache)).toEqual(['cut.tar.br'])
  })
})
