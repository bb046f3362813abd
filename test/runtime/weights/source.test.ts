import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import { expectFailure } from './expect_failure.ts'

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)
const TEXT = new TextEncoder().encode('{"é": 1}')
let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'webdit-source-'))
  await mkdir(join(root, 'folder/vae'), { recursive: true })
  await writeFile(join(root, 'folder/vae/a.bin'), BYTES)
  await writeFile(join(root, 'folder/config.json'), TEXT)
  await writeFile(join(root, 'folder/bad.json'), Uint8Array.of(0x7b, 0xff))
  await writeFile(join(root, 'secret'), BYTES)
})
afterAll(() => rm(root, { recursive: true }))

const openers: Record<string, () => Promise<Source>> = {
  folder: () => openFolder(`${join(root, 'folder')}/`),
  memory: async () =>
    memorySource(
      new Map([
        ['vae/a.bin', BYTES],
        ['config.json', TEXT],
        ['bad.json', Uint8Array.of(0x7b, 0xff)],
      ]),
    ),
}

describe.each(Object.keys(openers))('%s source', (kind) => {
  it('gives sizes, names and byte ranges', async () => {
    const source = await openers[kind]()
    expect(await source.size('vae/a.bin')).toBe(1000)
    expect(await source.exists('vae/a.bin')).toBe(true)
    expect(await source.exists('vae')).toBe(false)
    expect(await source.exists('config.json/x')).toBe(false)
    expect(await source.list?.('')).toEqual(['bad.json', 'config.json', 'vae'])
    expect(await source.list?.('vae')).toEqual(['a.bin'])
    expect(await source.list?.('absent')).toEqual([])
    const target = new Uint8Array(12).fill(9)
    await source.readInto('vae/a.bin', 990, target.subarray(1, 11))
    expect([...target]).toEqual([9, ...BYTES.slice(990), 9])
    await source.readInto('vae/a.bin', 1000, new Uint8Array(0))
    expect(await source.readText('config.json')).toBe('{"é": 1}')
    await source.close()
  })

  it('refuses what is not there, in words', async () => {
    const source = await openers[kind]()
    await expectFailure(source.size('vae/b.bin'), 'not-found', `${source.name}/vae/b.bin`)
    await expectFailure(source.readText('absent.json'), 'not-found', 'absent.json')
    await expectFailure(source.size('vae'), 'not-found', 'vae')
    await expectFailure(source.readInto('vae/a.bin', 995, new Uint8Array(6)), 'corrupt', '1000', '1001')
    await expectFailure(source.readText('config.json', 5), 'corrupt', '9 bytes', 'at most 5')
    await expectFailure(source.readText('bad.json'), 'corrupt', 'UTF-8')
    await source.close()
  })

  it.each([
    '../secret',
    'vae/../../secret',
    '/etc/passwd',
    'vae//a.bin',
    './config.json',
    '..\\secret',
    'C:/x',
    'a\0b',
  ])('stays inside its folder: %j', async (path) => {
    const source = await openers[kind]()
    await expectFailure(source.size(path), 'bad-argument')
    await expectFailure(source.exists(path), 'bad-argument')
    await expectFailure(source.list?.(path) ?? Promise.resolve(), 'bad-argument')
    await expectFailure(source.readInto(path, 0, new Uint8Array(1)), 'bad-argument')
  })
})

describe('openFolder', () => {
  it('says what a checkpoint folder is where there is none', async () => {
    const error = await expectFailure(openFolder(join(root, 'absent')), 'not-found', join(root, 'absent'))
    expect(error.hint).toContain('model_index.json')
    await expectFailure(openFolder(join(root, 'secret')), 'not-found', 'is a file')
    await expectFailure(openFolder(join(root, 'secret/x')), 'not-found', 'no folder')
  })

  it('follows symbolic links, as the hub cache needs', async () => {
    await mkdir(join(root, 'snapshot'))
    await symlink('../secret', join(root, 'snapshot/model.safetensors'))
    const source = await openFolder(join(root, 'snapshot'))
    expect(await source.size('model.safetensors')).toBe(1000)
    await source.close()
  })

  it('reads many files side by side and again after they were closed', async () => {
    const many = join(root, 'many')
    await mkdir(many)
    for (let i = 0; i < 40; i++) await writeFile(join(many, `f${i}`), Uint8Array.of(i, i + 1))
    const source = await openFolder(many)
    for (let round = 0; round < 2; round++) {
      const targets = Array.from({ length: 200 }, () => new Uint8Array(1))
      await Promise.all(targets.map((target, i) => source.readInto(`f${i % 40}`, i % 2, target)))
      expect(targets.map(([byte]) => byte)).toEqual(targets.map((_, i) => (i % 40) + (i % 2)))
      await source.close()
    }
    await expectFailure(source.size('f40'), 'not-found')
    await writeFile(join(many, 'f40'), Uint8Array.of(7))
    expect(await source.size('f40')).toBe(1)
    await source.close()
  })
})
