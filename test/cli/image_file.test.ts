import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { readImage } from '../../src/cli/generate/image_file.ts'
import { failure } from '../support/failure.ts'

const FILES = fileURLToPath(new URL('../fixtures/image_to_image/png.json', import.meta.url))
const CASES: Record<string, { png: string; rgb: number[] }> = JSON.parse(readFileSync(FILES, 'utf8'))

const temporary = mkdtempSync(join(tmpdir(), 'webdit-image-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const written = (bytes: Uint8Array) => {
  const path = join(temporary, 'image.png')
  writeFileSync(path, bytes)
  return path
}

describe('a PNG file', () => {
  it.each(Object.keys(CASES))('has the colours that Pillow reads: %s', async (name) => {
    const { png, rgb } = CASES[name]
    const image = await readImage(written(Buffer.from(png, 'base64')))
    expect([image.width, image.height]).toEqual([5, 4])
    expect([...image.data]).toEqual(rgb)
  })

  it('of 16-bit grey is cut to 8 bits, which Pillow would make white', async () => {
    const { encode } = await import('fast-png')
    const data = Uint16Array.of(0x12ff, 0x8000, 0xffff)
    const image = await readImage(written(encode({ width: 3, height: 1, channels: 1, depth: 16, data })))
    expect([...image.data]).toEqual([0x12, 0x12, 0x12, 0x80, 0x80, 0x80, 0xff, 0xff, 0xff])
  })

  it('is refused where it is none, or damaged, or not there', async () => {
    const png = Buffer.from(CASES.rgb.png, 'base64')
    for (const bytes of [new Uint8Array(), Buffer.from('\xff\xd8\xff\xe0 JFIF', 'latin1'), png.subarray(0, 60)]) {
      const error = await failure(readImage(written(bytes)))
      expect(error).toMatchObject({ kind: 'corrupt' })
      expect(error.message).toMatch(/image\.png is no PNG that can be read/)
      expect(error.hint).toMatch(/Save the picture as PNG/)
    }
    const flipped = Uint8Array.from(png, (byte, i) => (i === 50 ? byte ^ 1 : byte))
    expect(await failure(readImage(written(flipped)))).toMatchObject({ kind: 'corrupt' })
    expect(await failure(readImage(join(temporary, 'nowhere.png')))).toMatchObject({ kind: 'not-found' })
    expect(await failure(readImage(temporary))).toMatchObject({ kind: 'not-found' })
  })
})
