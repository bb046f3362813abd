/** What text encoders made of texts: values, and the shape that they have. */
export interface EncodedTexts {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** Host memory for encoded texts, in bytes: T5 makes 8 MiB of 512 tokens. */
const ROOM = 64 * 2 ** 20

/** Encoded texts of the calls so far, those of the latest. */
export class TextCache {
  readonly #room: number
  /** Those used last at the end. */
  readonly #entries = new Map<string, readonly EncodedTexts[]>()

  constructor(room = ROOM) {
    this.#room = room
  }

  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, entry) => sum + bytesOf(entry), 0)
  }

  get(key: string): readonly EncodedTexts[] | undefined {
    const entry = this.#entries.get(key)
    if (entry && this.#entries.delete(key)) this.#entries.set(key, entry)
    return entry
  }

  /** Forgets all: the encoders are others now. */
  clear(): void {
    this.#entries.clear()
  }

  /** Keeps them, in place of those that were not used for longest. */
  set(key: string, entry: readonly EncodedTexts[]): void {
    this.#entries.delete(key)
    if (bytesOf(entry) > this.#room) return
    this.#entries.set(key, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.bytes <= this.#room) break
      this.#entries.delete(oldest)
    }
  }
}

const bytesOf = (entry: readonly EncodedTexts[]): number => entry.reduce((sum, { data }) => sum + data.byteLength, 0)
