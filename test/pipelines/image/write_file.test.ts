import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { DitImage } from '../../../src/pipelines/image/image.ts'
import { writeWhole } from '../../../src/pipelines/image/write_file.node.ts'
import { expectFailure } from '../../runtime/weights/expect_failure.ts'

vi.mock('node:fs/promises', { spy: true })

let folder: string
beforeAll(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'webdit-write-'))
})
afterAll(() => fs.rm(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

describe('writeWhole', () => {
  it('writes, replaces, and leaves nothing else', async () => {
    const path = join(folder, 'a.png')
    await writeWhole(path, Uint8Array.of(1, 2, 3))
    await writeWhole(path, Uint8Array.of(4))
    expect([...(await fs.readFile(path))]).toEqual([4])
    expect(await fs.readdir(folder)).toEqual(['a.png'])
    await fs.rm(path)
  })

  it('saves a picture with its parameters', async () => {
    const path = join(folder, 'picture.png')
    await new DitImage(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6), { seed: '42' }).save(path)
    const image = decode(await fs.readFile(path))
    expect(image.text).toEqual({ seed: '42' })
    expect([...image.data]).toEqual([1, 2, 3, 4, 5, 6])
    await fs.rm(path)
  })

  it('says what to do where there is no folder or a folder has the name', async () => {
    const error = await expectFailure(
      writeWhole(join(folder, 'no/a.png'), new Uint8Array(1)),
      'io',
      'ENOENT',
      'no/a.png',
    )
    expect(error.hint).toContain('Create the folder')
    await fs.mkdir(join(folder, 'taken'))
    await expectFailure(writeWhole(join(folder, 'taken'), new Uint8Array(1)), 'io', 'taken')
    expect(await fs.readdir(folder)).toEqual(['taken'])
    await fs.rmdir(join(folder, 'taken'))
  })

  it.each([
    ['EACCES', 'the right to write'],
    ['EROFS', 'read-only'],
    ['ENOSPC', 'free some space'],
  ])('tells %s apart when the file cannot be made', async (code, hint) => {
    vi.mocked(fs.open).mockRejectedValueOnce(systemError(code))
    const error = await expectFailure(writeWhole(join(folder, 'a.png'), new Uint8Array(1)), 'io', code, 'a.png')
    expect(error.hint).toContain(hint)
  })

  it('leaves the old file and no other where the disk fills up or the rename fails', async () => {
    const path = join(folder, 'b.png')
    await writeWhole(path, Uint8Array.of(7))
    const open = await vi.importActual<typeof fs>('node:fs/promises').then((actual) => actual.open)
    vi.mocked(fs.open).mockImplementationOnce(async (...args) => {
      const handle = await open(...args)
      handle.writeFile = () => Promise.reject(systemError('ENOSPC'))
      return handle
    })
    await expectFailure(writeWhole(path, new Uint8Array(9)), 'io', 'ENOSPC')
    vi.mocked(fs.rename).mockRejectedValueOnce(systemError('EPERM'))
    await expectFailure(writeWhole(path, new Uint8Array(9)), 'io', 'EPERM')
    expect([...(await fs.readFile(path))]).toEqual([7])
    expect(await fs.readdir(folder)).toEqual(['b.png'])
  })
})
