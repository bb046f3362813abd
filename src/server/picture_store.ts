import { randomBytes } from 'node:crypto'

/** How long an address gives its picture, in ms: an hour, as at OpenAI. */
const LIFETIME = 3600_000

/** Bytes of pictures that are kept for their addresses; the oldest go first. */
const MOST_BYTES = 256 * 2 ** 20

/** Bits of a name that nobody guesses. */
const NAME_BYTES = 16

interface Kept {
  readonly png: Uint8Array<ArrayBuffer>
  readonly until: number
}

/** Pictures that clients want as an address: in memory, under names that only they know. */
export class PictureStore {
  readonly #kept = new Map<string, Kept>()
  readonly #now: () => number
  #bytes = 0

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a picture for a while; answers with its name. */
  keep(png: Uint8Array<ArrayBuffer>): string {
    const name = randomBytes(NAME_BYTES).toString('hex')
    this.#kept.set(name, { png, until: this.#now() + LIFETIME })
    this.#bytes += png.byteLength
    this.#tidy()
    return name
  }

  /** Undefined where there is none, or not any more. */
  find(name: string): Uint8Array<ArrayBuffer> | undefined {
    this.#tidy()
    return this.#kept.get(name)?.png
  }

  #tidy(): void {
    for (const [name, { png, until }] of this.#kept) {
      if (until > this.#now() && this.#bytes <= MOST_BYTES) return
      this.#kept.delete(name)
      this.#bytes -= png.byteLength
    }
  }
}
