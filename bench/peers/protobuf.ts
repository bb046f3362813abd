/** Fields of a protobuf message, in the order given: what ONNX files are made of. https://protobuf.dev/programming-guides/encoding */
export type Field = readonly [number: number, value: number | string | Uint8Array | readonly Field[]]

/** A message's bytes. Numbers are written as varints, the rest with its length before it. */
export function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]): Uint8Array[] => {
    if (typeof value === 'number') return [varint(number * 8), varint(value)]
    const bytes =
      typeof value === 'string'
        ? new TextEncoder().encode(value)
        : value instanceof Uint8Array
          ? value
          : message(value as readonly Field[])
    return [varint(number * 8 + 2), varint(bytes.length), bytes]
  })
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Uint8Array.from([...bytes, rest])
}
