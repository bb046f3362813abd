import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { crc32 } from '../../../src/pipelines/image/crc32.ts'
import { encodePng } from '../../../src/pipelines/image/png.ts'

const DATA = Uint8Array.from({ length: 5 * 3 * 3 }, (_, i) => i * 5)

/** Chunk types and bodies, each CRC checked. */
function chunksOf(png: Uint8Array): { type: string; body: Uint8Array }[] {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  const chunks: { type: string; body: Uint8Array }[] = []
  for (let at = 8; at < png.length; ) {
    const length = view.getUint32(at)
    expect(view.getUint32(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)))
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8))
    chunks.push({ type, body: png.subarray(at + 8, at + 8 + length) })
    at += 12 + length
  }
  return chunks
}

describe('encodePng', () => {
  it('keeps every pixel and Latin-1 text', () => {
    const text = { prompt: 'a red äpple,\nshiny', seed: '42', empty: '' }
    const image = decode(encodePng(DATA, 5, 3, text), { checkCrc: true })
    expect(image).toMatchObject({ width: 5, height: 3, channels: 3, depth: 8, text })
    expect(image.data).toEqual(DATA)
  })

  it('writes any other text as UTF-8 iTXt, before the pixels', () => {
    const prompt = '赤いりんご 🍎 “quoted”'
    const png = encodePng(new Uint8ClampedArray(DATA), 5, 3, { prompt, seed: '1', nul: 'a\0b' })
    expect(decode(png).data).toEqual(DATA)
    const chunks = chunksOf(png)
    expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'iTXt', 'tEXt', 'iTXt', 'IDAT', 'IEND'])
    const bodies = chunks.map(({ body }) => new TextDecoder().decode(body))
    expect(bodies[1]).toBe(`prompt\0\0\0\0\0${prompt}`)
    expect(bodies[2]).toBe('seed\x001')
    expect(bodies[3]).toBe('nul\0\0\0\0\0a\ufffdb')
  })

  it.each(['', ' lead', 'x'.repeat(80), '名', 'a\0b'])('refuses the keyword %j', (keyword) => {
    expect(() => encodePng(DATA, 5, 3, { [keyword]: 'x' })).toThrow('cannot name a PNG text')
  })
})

describe('crc32', () => {
  it('has the check value of CRC-32', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
  })
})
