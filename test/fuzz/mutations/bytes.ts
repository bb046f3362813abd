import type { Random } from '../random.ts'
import { changed, type Mutation } from './mutation.ts'

/** What breaks readers: delimiters, numbers at the edges of types, text that is no UTF-8. */
const SNIPPETS = [
  '-1',
  '1e308',
  '1e999',
  'NaN',
  '-Infinity',
  '[',
  '}',
  '"',
  '\\u0000',
  '\\ud800',
  '99999999999999999999',
  'BF16',
  '{"a":',
  ',',
  'null',
  '[0,0]',
  '\u0000',
  '\ufeff',
  '\u2028',
].map((text) => new TextEncoder().encode(text))
const BAD_UTF8 = [Uint8Array.of(0xff), Uint8Array.of(0xc3), Uint8Array.of(0xed, 0xa0, 0x80), Uint8Array.of(0xf8, 0x88)]

/** A change that knows nothing of the format. */
export function mutateBytes(r: Random, bytes: Uint8Array): Mutation {
  const at = r.below(bytes.length + 1)
  switch (r.below(8)) {
    case 0: {
      const flipped = bytes.slice()
      const bits = 1 + r.below(4)
      for (let i = 0; i < bits && flipped.length > 0; i++) flipped[r.below(flipped.length)] ^= 1 << r.below(8)
      return changed(flipped, `${bits} bits flipped`)
    }
    case 1:
      return changed(bytes.subarray(0, at), `cut after ${at} bytes`)
    case 2: {
      const more = Uint8Array.from({ length: 1 + r.below(64) }, () => (r.chance(0.5) ? 0 : r.below(256)))
      return changed(joined(bytes, more), `${more.length} bytes more at the end`)
    }
    case 3: {
      const snippet = r.pick([...SNIPPETS, ...BAD_UTF8])
      return changed(spliced(bytes, at, r.below(8), snippet), `bytes [${snippet}] put in at ${at}`)
    }
    case 4: {
      const count = 1 + r.below(Math.min(64, bytes.length))
      return changed(spliced(bytes, at, count, new Uint8Array()), `${count} bytes taken out at ${at}`)
    }
    case 5: {
      const length = 1 + r.below(256)
      const from = r.below(bytes.length + 1)
      return changed(spliced(bytes, at, 0, bytes.subarray(from, from + length)), `bytes from ${from} repeated at ${at}`)
    }
    case 6: {
      const end = Math.min(bytes.length, at + 1 + r.below(256))
      return changed(bytes.slice().fill(0, at, end), `bytes ${at} to ${end} zeroed`)
    }
    default:
      return changed(r.pick([new Uint8Array(), new Uint8Array(8), bytes.subarray(0, 8)]), 'all but a few bytes gone')
  }
}

export function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** `bytes` with `insert` in the place of `remove` bytes at `at`. */
export function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined(bytes.subarray(0, at), insert, bytes.subarray(Math.min(bytes.length, at + remove)))
}
