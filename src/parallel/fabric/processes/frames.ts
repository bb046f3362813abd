/** What passes between two processes: bytes of a tensor, a sign of life, the error that ends all (its text is the tag). */
export const MESSAGE = 0
export const BEAT = 1
export const FAILURE = 2
/** The sender ends, as it should. */
export const BYE = 3
/** Who calls, in its first frame: the tag is its rank. */
export const HELLO = 4

/** Bytes before a frame's tag: its kind, bytes of the tag, and bytes of the message behind. */
const HEADER_BYTES = 12

export function frameHeader(kind: number, tag: string, bytes: number): Uint8Array {
  const name = new TextEncoder().encode(tag)
  const header = new Uint8Array(HEADER_BYTES + name.length)
  new Uint32Array(header.buffer, 0, 3).set([kind, name.length, bytes])
  header.set(name, HEADER_BYTES)
  return header
}

/** Where the bytes of a frame go, and what follows when they are there. */
export interface FrameTarget {
  readonly target: Uint8Array
  done(): void
}

/** Cuts a stream of bytes into frames, which are filled in place. */
export class FrameReader {
  readonly #begin: (kind: number, tag: string, bytes: number) => FrameTarget
  #target: Uint8Array = new Uint8Array(HEADER_BYTES)
  #filled = 0
  #then: () => void

  constructor(begin: (kind: number, tag: string, bytes: number) => FrameTarget) {
    this.#begin = begin
    this.#then = () => this.#header()
  }

  /** Takes the next bytes of the stream. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.#target.length - this.#filled)
      this.#target.set(bytes.subarray(at, at + count), this.#filled)
      at += count
      this.#filled += count
      while (this.#filled === this.#target.length) this.#then()
    }
  }

  #expect(target: Uint8Array, then: () => void): void {
    this.#target = target
    this.#filled = 0
    this.#then = then
  }

  #header(): void {
    const [kind, letters, bytes] = new Uint32Array(this.#target.slice().buffer)
    const name = new Uint8Array(letters)
    this.#expect(name, () => {
      const { target, done } = this.#begin(kind, new TextDecoder().decode(name), bytes)
      this.#expect(target, () => {
        this.#expect(new Uint8Array(HEADER_BYTES), () => this.#header())
        done()
      })
    })
  }
}
