// What ranks send each other on a NATS server, which delivers what one sends another in order, or not at all. A parcel begins
// with a number: that of a piece of the stream of messages, from 1 on; or 0, and what it tells.

/** What a parcel without a piece tells: bytes that arrived, that its sender is there, lives, failed or ends. */
export const TELLS = { received: 0, hello: 1, helloBack: 2, beat: 3, failure: 4, bye: 5 } as const
export type Told = (typeof TELLS)[keyof typeof TELLS]

/** Bytes before a piece. */
export const PIECE_HEADER = 4

export function piece(number: number, parts: readonly Uint8Array[]): Uint8Array {
  const parcel = new Uint8Array(PIECE_HEADER + parts.reduce((sum, part) => sum + part.length, 0))
  new DataView(parcel.buffer).setUint32(0, number, true)
  let at = PIECE_HEADER
  for (const part of parts) {
    parcel.set(part, at)
    at += part.length
  }
  return parcel
}

/** @param text of a failure, or a number of bytes */
export function telling(what: Told, text = ''): Uint8Array {
  const words = new TextEncoder().encode(text)
  const parcel = new Uint8Array(PIECE_HEADER + 1 + words.length)
  parcel[PIECE_HEADER] = what
  parcel.set(words, PIECE_HEADER + 1)
  return parcel
}

export type Parcel =
  | { readonly number: number; readonly bytes: Uint8Array }
  | { readonly number: 0; readonly what: Told; readonly text: string }

export function openParcel(parcel: Uint8Array): Parcel {
  const number = new DataView(parcel.buffer, parcel.byteOffset, parcel.length).getUint32(0, true)
  const rest = parcel.subarray(PIECE_HEADER)
  if (number > 0) return { number, bytes: rest }
  return { number: 0, what: rest[0] as Told, text: new TextDecoder().decode(rest.subarray(1)) }
}
