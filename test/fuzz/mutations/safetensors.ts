import type { Random } from '../random.ts'
import { joined, mutateBytes } from './bytes.ts'
import { mutateJson } from './json.ts'
import { changed, type Mutation, unchanged } from './mutation.ts'

type Entry = { dtype: string; shape: number[]; data_offsets: number[] }
type Header = Record<string, Entry>

const LENGTHS = [0n, 1n, 7n, 100_000_001n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n]
const DTYPES: readonly string[] = [
  'F32',
  'F16',
  'BF16',
  'F64',
  'I64',
  'I32',
  'U8',
  'BOOL',
  'F8_E4M3',
  'F4',
  'f32',
  '',
  '__proto__',
]
const DIMENSIONS = [0, 1, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300]

/** A change to a safetensors file that knows its header, or one that does not. */
export function mutateSafetensors(r: Random, bytes: Uint8Array): Mutation {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const headerBytes = bytes.subarray(8, 8 + length)
  const data = bytes.subarray(8 + length)
  const { __metadata__: metadata, ...header } = JSON.parse(new TextDecoder().decode(headerBytes))
  const assemble = (entries: object, body: Uint8Array = data) => withHeader(JSON.stringify(entries), body)
  switch (r.below(12)) {
    case 0:
      return mutateBytes(r, bytes)
    case 1: {
      const declared = r.pick([...LENGTHS, BigInt(length - 1), BigInt(length + 1), BigInt(length + data.length)])
      const edited = bytes.slice()
      new DataView(edited.buffer).setBigUint64(0, declared, true)
      return changed(edited, `a header length of ${declared}`)
    }
    case 2: {
      const json = mutateJson(r, headerBytes)
      return changed(withHeader(json.bytes, data), `header: ${json.what}`)
    }
    case 3: {
      const padded = new TextDecoder().decode(headerBytes) + ' '.repeat(1 + r.below(64))
      return unchanged(withHeader(padded, data), 'the header padded')
    }
    case 4:
      return unchanged(
        assemble({ ...header, __metadata__: { ...metadata, note: 'x'.repeat(r.below(200)) } }),
        'metadata',
      )
    case 5:
      return unchanged(assemble(Object.fromEntries(r.shuffled(Object.entries(header)))), 'entries in another order')
    case 6:
      return unchanged(moved(r, header, data), 'tensors at other places')
    case 7:
      return changed(bytes.subarray(0, bytes.length - 1 - r.below(data.length)), 'the data cut')
    case 8: {
      const body = data.slice()
      const at = r.below(Math.floor(body.length / 4)) * 4
      const word = r.pick([0x7fc00000, 0x7f800000, 0xff800000, 0x7f7fffff, 0x00000001, 0x3f800000])
      new DataView(body.buffer).setUint32(at, word, true)
      return changed(withHeader(headerBytes, body), `the word 0x${word.toString(16)} in the data at ${at}`)
    }
    case 9: {
      const body = data.slice()
      for (let i = r.below(16); i >= 0; i--) body[r.below(body.length)] ^= 1 << r.below(8)
      return changed(withHeader(headerBytes, body), 'bits of the data flipped')
    }
    default: {
      const edited = structuredClone(header) as Header
      const what = editEntry(r, edited)
      return changed(assemble(edited), what)
    }
  }
}

function editEntry(r: Random, header: Header): string {
  const names = Object.keys(header)
  const name = r.pick(names)
  const entry = header[name]
  switch (r.below(9)) {
    case 0:
      entry.dtype = r.pick(DTYPES)
      return `${name} is ${entry.dtype}`
    case 1:
      entry.shape[r.below(entry.shape.length || 1)] = r.pick(DIMENSIONS)
      return `${name} has shape [${entry.shape}]`
    case 2:
      entry.shape = r.shuffled(entry.shape.length > 1 ? entry.shape : [...entry.shape, 1])
      return `${name} has shape [${entry.shape}]`
    case 3: {
      const end = r.below(2)
      entry.data_offsets[end] += r.pick([-4, -1, 1, 4, 2 ** 32, 2 ** 53])
      return `${name} lies at ${entry.data_offsets}`
    }
    case 4: {
      const other = r.pick(names)
      ;[header[name], header[other]] = [header[other], header[name]]
      return `${name} and ${other} swapped`
    }
    case 5:
      delete header[name]
      return `${name} gone`
    case 6:
      header[r.pick(['', 'x', 'x'.repeat(100_000), `${name}.x`, '\u0000', '../x', 'line\nbreak'])] = entry
      delete header[name]
      return `${name} renamed`
    case 7: {
      // As many bytes of another type.
      entry.dtype = entry.dtype === 'F32' ? 'BF16' : 'F32'
      entry.shape = [...entry.shape.slice(0, -1), (entry.shape.at(-1) ?? 1) * (entry.dtype === 'BF16' ? 2 : 0.5)]
      return `${name} is ${entry.dtype} [${entry.shape}]`
    }
    default:
      header[`${name}.again`] = structuredClone(entry)
      return `${name} twice`
  }
}

/** The same tensors in another order of their bytes. */
function moved(r: Random, header: Header, data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  let end = 0
  const entries = r.shuffled(Object.entries(header)).map(([name, entry]) => {
    const part = data.subarray(entry.data_offsets[0], entry.data_offsets[1])
    parts.push(part)
    end += part.length
    return [name, { ...entry, data_offsets: [end - part.length, end] }]
  })
  return withHeader(JSON.stringify(Object.fromEntries(entries)), joined(...parts))
}

function withHeader(header: string | Uint8Array, data: Uint8Array): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const prefix = new Uint8Array(8)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(text.length), true)
  return joined(prefix, text, data)
}
