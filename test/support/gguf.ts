/** A value of a GGUF header: text, a whole number of 32 bits, or a list of either. */
export type Metadata = string | number | readonly string[] | readonly number[]

export interface GgufTensorData {
  /** ggml's number of the type. */
  readonly type: number
  /** Slowest dimension first. */
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

export interface GgufFields {
  magic?: string
  version?: number
  alignment?: number
  /** Instead of how many there are. */
  tensorCount?: number
  keyCount?: number
}

const UINT32 = 4
const STRING = 8
const ARRAY = 9

/** A GGUF file, as ggml's docs/gguf.md describes it. */
export function writeGguf(
  metadata: Readonly<Record<string, Metadata>>,
  tensors: Readonly<Record<string, GgufTensorData>>,
  { magic = 'GGUF', version = 3, alignment = 32, tensorCount, keyCount }: GgufFields = {},
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [...new TextEncoder().encode(magic)]
  const number = (value: number, size: 4 | 8) => {
    const word = new DataView(new ArrayBuffer(8))
    word.setBigUint64(0, BigInt(value), true)
    bytes.push(...new Uint8Array(word.buffer, 0, size))
  }
  const text = (value: string) => {
    const encoded = new TextEncoder().encode(value)
    number(encoded.length, 8)
    bytes.push(...encoded)
  }
  const value = (given: string | number) => (typeof given === 'string' ? text(given) : number(given, 4))
  const typeOf = (given: string | number | undefined) => (typeof given === 'string' ? STRING : UINT32)

  number(version, 4)
  number(tensorCount ?? Object.keys(tensors).length, 8)
  number(keyCount ?? Object.keys(metadata).length, 8)
  for (const [key, given] of Object.entries(metadata)) {
    text(key)
    if (typeof given === 'object') {
      number(ARRAY, 4)
      number(typeOf(given[0]), 4)
      number(given.length, 8)
      given.forEach(value)
    } else {
      number(typeOf(given), 4)
      value(given)
    }
  }
  let end = 0
  for (const [name, { type, shape, data }] of Object.entries(tensors)) {
    text(name)
    number(shape.length, 4)
    for (const length of shape.toReversed()) number(length, 8)
    number(type, 4)
    number(end, 8)
    end = Math.ceil((end + data.byteLength) / alignment) * alignment
  }
  const begin = Math.ceil(bytes.length / alignment) * alignment
  const file = new Uint8Array(begin + end)
  file.set(bytes)
  let at = begin
  for (const { data } of Object.values(tensors)) {
    file.set(data, at)
    at = begin + Math.ceil((at - begin + data.byteLength) / alignment) * alignment
  }
  return file
}
