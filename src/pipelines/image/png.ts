import { encode } from 'fast-png'
import { DitError } from '../../runtime/errors.ts'
import { crc32 } from './crc32.ts'

/** Bytes of the PNG signature and its first chunk, IHDR; text goes right behind them. */
const HEADER_BYTES = 8 + 25

/**
 * An 8-bit RGB PNG with a text chunk for each parameter (PNG third edition, 11.3.3).
 * @param data height x width x 3 bytes
 * @param text keyword (1 to 79 Latin-1 characters) to text
 * @throws DitError 'bad-argument' for a keyword that PNG cannot hold
 */
export function encodePng(
  data: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  text: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const plain = encode({ width, height, data, channels: 3, depth: 8 })
  const chunks = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value))
  const parts = [plain.subarray(0, HEADER_BYTES), ...chunks, plain.subarray(HEADER_BYTES)]
  const png = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    png.set(part, at)
    at += part.byteLength
  }
  return png
}

/** tEXt holds printable Latin-1 only (and fast-png writes no other), so any other text becomes iTXt: UTF-8. */
function textChunk(keyword: string, value: string): Uint8Array {
  if (!/^[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa1-\xff]{0,77}[\x21-\x7e\xa1-\xff])?$/.test(keyword)) {
    throw new DitError(
      'bad-argument',
      `${JSON.stringify(keyword)} cannot name a PNG text; expected 1 to 79 Latin-1 characters`,
    )
  }
  if (/^[\n\x20-\x7e\xa1-\xff]*$/.test(value)) return chunk('tEXt', latin1(`${keyword}\0${value}`))
  const utf8 = new TextEncoder().encode(value.replaceAll('\0', '\ufffd')) // NUL ends texts in PNG
  const head = latin1(`${keyword}\0\0\0\0\0`) // not compressed, no language, no translated keyword
  const body = new Uint8Array(head.byteLength + utf8.byteLength)
  body.set(head)
  body.set(utf8, head.byteLength)
  return chunk('iTXt', body)
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.byteLength)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, body.byteLength)
  bytes.set(latin1(type), 4)
  bytes.set(body, 8)
  view.setUint32(8 + body.byteLength, crc32(bytes.subarray(4, 8 + body.byteLength)))
  return bytes
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0))
}
