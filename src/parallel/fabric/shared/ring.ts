import { changed } from './signals.ts'

/** Bytes on their way from one rank to another: as much as one side may be ahead of the other. A power of two. */
export const RING_BYTES = 4 * 2 ** 20

/** Bytes that are told of at once: so much does a reader lag behind. */
const CHUNK = 2 ** 20

/** Words before the data: bytes written and bytes read so far, both modulo 2^32. */
const [WRITTEN, READ] = [0, 1]

/**
 * Everything begins at a multiple of this many bytes, the data too: copies to and from shared memory go byte by byte where
 * both sides are not aligned alike, at a third of the speed.
 */
export const ALIGN = 64

const padding = (bytes: number): number => (ALIGN - (bytes % ALIGN)) % ALIGN

export const ringMemory = (): SharedArrayBuffer => new SharedArrayBuffer(ALIGN + RING_BYTES)

/** A queue of bytes in shared memory, with one thread that writes and one that reads. */
export class Ring {
  readonly #words: Int32Array
  readonly #data: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 2)
    this.#data = new Uint8Array(memory, ALIGN)
  }

  /** Writes bytes, and leaves out what is missing to a multiple of ALIGN. */
  async write(bytes: Uint8Array): Promise<void> {
    const words = this.#words
    let written = Atomics.load(words, WRITTEN)
    for (let at = 0; at < bytes.length; ) {
      const read = Atomics.load(words, READ)
      const free = RING_BYTES - ((written - read) >>> 0)
      if (free === 0) {
        await changed(words, READ, read)
        continue
      }
      const place = (written >>> 0) % RING_BYTES
      const count = Math.min(free, bytes.length - at, RING_BYTES - place, CHUNK)
      this.#data.set(bytes.subarray(at, at + count), place)
      at += count
      written = (written + count) | 0
      // A place that is left out is always there: all that is in the ring is a multiple of ALIGN.
      if (at === bytes.length) written = (written + padding(at)) | 0
      Atomics.store(words, WRITTEN, written)
      Atomics.notify(words, WRITTEN)
    }
  }

  /** Reads what was written at once. */
  async read(target: Uint8Array): Promise<void> {
    const words = this.#words
    let read = Atomics.load(words, READ)
    for (let at = 0; at < target.length; ) {
      const written = Atomics.load(words, WRITTEN)
      const there = (written - read) >>> 0
      if (there === 0) {
        await changed(words, WRITTEN, written)
        continue
      }
      const place = (read >>> 0) % RING_BYTES
      const count = Math.min(there, target.length - at, RING_BYTES - place, CHUNK)
      target.set(this.#data.subarray(place, place + count), at)
      at += count
      read = (read + count) | 0
      if (at === target.length) read = (read + padding(at)) | 0
      Atomics.store(words, READ, read)
      Atomics.notify(words, READ)
    }
  }
}
