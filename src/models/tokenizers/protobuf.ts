import { DitError } from '../../runtime/errors.ts'

/** One field of a protobuf message: a varint or 32-bit word is a number (words raw), bytes are a view. */
export interface Field {
  number: number
  value: number | Uint8Array
}

/**
 * The fields of a protobuf message, in order. 64-bit fields are skipped: sentencepiece has none that matter here.
 * @param what names the file in errors
 * @throws DitError corrupt where the bytes are no message
 */
export function* readFields(bytes: Uint8Array, what: string): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0

  function varint(): number {
    let value = 0
    // Ten bytes hold 64 bits. Values above 2^53 lose digits; they are negative numbers, and refused where they are used.
    for (let i = 0; i < 10; i++) {
      if (at >= bytes.length) throw corrupt(what, 'it ends inside a number')
      const byte = bytes[at++]
      value += (byte & 127) * 2 ** (7 * i)
      if (byte < 128) return value
    }
    throw corrupt(what, 'a number has more than 64 bits')
  }

  function take(length: number): number {
    if (length > bytes.length - at) throw corrupt(what, `a field of ${length} bytes goes past the end`)
    at += length
    return at - length
  }

  while (at < bytes.length) {
    const key = varint()
    const number = Math.floor(key / 8)
    switch (key % 8) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        take(8)
        break
      case 2: {
        const length = varint()
        const start = take(length)
        yield { number, value: bytes.subarray(start, start + length) }
        break
      }
      case 5:
        yield { number, value: view.getUint32(take(4), true) }
        break
      default:
        throw corrupt(what, `field ${number} has the unknown wire type ${key % 8}`)
    }
  }
}

/** The float whose bits a 32-bit field has. */
export function floatOf(word: number): number {
  return new Float32Array(Uint32Array.of(word).buffer)[0]
}

function corrupt(what: string, why: string): DitError {
  return new DitError('corrupt', `${what} is no sentencepiece model: ${why}`, 'Fetch the file again.')
}
