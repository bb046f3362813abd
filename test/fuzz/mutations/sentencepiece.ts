import type { Random } from '../random.ts'
import { joined, mutateBytes } from './bytes.ts'
import { changed, type Mutation, unchanged } from './mutation.ts'

/** A field of a protobuf message whose bytes are text or messages. */
interface Field {
  number: number
  wire: number
  /** The value, without key and length. */
  value: Uint8Array
}

const VARINTS = [0, 1, 2, 3, 4, 7, 255, 2 ** 31, 2 ** 53]

/** A change to a sentencepiece model that knows its fields, or one that does not. */
export function mutateSentencePiece(r: Random, bytes: Uint8Array): Mutation {
  const fields = parse(bytes)
  const pieces = fields.filter(({ number }) => number === 1)
  switch (r.below(9)) {
    case 0:
    case 1:
      return mutateBytes(r, bytes)
    case 2: {
      const unknown = { number: 100 + r.below(100), wire: 2, value: bytes.subarray(0, r.below(100)) }
      return unchanged(write([...fields, unknown]), 'an unknown field')
    }
    case 3:
      return unchanged(write([...fields.filter((f) => f.number !== 1), ...pieces]), 'the specs before the pieces')
    case 4:
      return changed(write(fields.toSpliced(r.below(fields.length), 1)), 'a field fewer')
    case 5:
      return changed(write(fields.toSpliced(r.below(fields.length), 0, r.pick(fields))), 'a field twice')
    case 6: {
      const field = r.pick(fields.filter(({ value }) => value.length > 0))
      const inner = mutateBytes(r, field.value)
      field.value = inner.bytes
      return changed(write(fields), `field ${field.number}: ${inner.what}`)
    }
    default: {
      const specs = fields.filter(({ number }) => number > 1)
      const field = r.chance(0.6) ? r.pick(pieces) : r.pick(specs.length > 0 ? specs : pieces)
      const what = editMessage(r, field)
      return changed(write(fields), `field ${field.number}: ${what}`)
    }
  }
}

function editMessage(r: Random, message: Field): string {
  const fields = parse(message.value)
  if (fields.length === 0) return 'nothing to edit'
  const field = r.pick(fields)
  if (field.wire === 0) field.value = varint(r.pick(VARINTS))
  else if (field.wire === 5) new DataView(field.value.slice().buffer).setUint32(0, 0)
  else field.value = mutateBytes(r, field.value).bytes
  if (field.wire === 5) {
    field.value = new Uint8Array(4)
    new DataView(field.value.buffer).setFloat32(0, r.pick([Number.NaN, Number.POSITIVE_INFINITY, -1e38, 0, 1e38]), true)
  }
  message.value = write(fields)
  return `its field ${field.number} changed`
}

function parse(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const number = (): number => {
    let value = 0
    for (let i = 0; ; i++) {
      const byte = bytes[at++]
      value += (byte & 127) * 2 ** (7 * i)
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const key = number()
    const start = at
    let value: Uint8Array
    if (key % 8 === 2) {
      const length = number()
      value = bytes.subarray(at, at + length)
      at += length
    } else {
      if (key % 8 === 0) number()
      else at += key % 8 === 5 ? 4 : 8
      value = bytes.subarray(start, at)
    }
    fields.push({ number: Math.floor(key / 8), wire: key % 8, value })
  }
  return fields
}

function write(fields: Field[]): Uint8Array {
  return joined(
    ...fields.flatMap(({ number, wire, value }) => [
      varint(number * 8 + wire),
      wire === 2 ? varint(value.length) : new Uint8Array(),
      value,
    ]),
  )
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Uint8Array.of(...bytes, value)
}
