/** Something that waits: whose it is, and what it can be drawn together with. */
export interface Waiting {
  /** Whom it is for: an API key, or an address. */
  readonly client: string
  /** What is equal for all that can share a batch. */
  readonly shape: string
  /** Set where it must be drawn by itself: a batch that it was in failed. */
  alone?: boolean
}

/**
 * A bounded queue that takes turns: one for each client that waits, whatever each has in it. No client may come to hold
 * more places than it found free, so that one alone takes half of them and leaves the others to who comes next.
 */
export class FairQueue<T extends Waiting> {
  /** Places in all. */
  readonly places: number
  /** Each client's own line; the client whose turn it is comes first. */
  readonly #lines = new Map<string, T[]>()
  #length = 0

  constructor(places: number) {
    this.places = places
  }

  get length(): number {
    return this.#length
  }

  /** All that waits, by client. */
  get all(): T[] {
    return [...this.#lines.values()].flat()
  }

  /** Clients that wait. */
  get clients(): number {
    return this.#lines.size
  }

  /** Adds what one client brings, all of it or nothing: false where there is no room for that client. */
  push(items: readonly T[]): boolean {
    const [{ client }] = items
    const held = (this.#lines.get(client)?.length ?? 0) + items.length
    if (held > this.places - this.#length) return false
    for (const item of items) this.#line(client).push(item)
    this.#length += items.length
    return true
  }

  /** Puts back what was taken and not drawn: it is next in turn. That may exceed the places. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) {
      const line = [item, ...this.#line(item.client)]
      const others = [...this.#lines].filter(([client]) => client !== item.client)
      this.#lines.clear()
      for (const [client, its] of [[item.client, line] as const, ...others]) this.#lines.set(client, its)
    }
    this.#length += items.length
  }

  /** The next item in turn, and up to `most` in all that can be drawn together with it, a turn each. */
  take(most: number): T[] {
    const first = this.#lines.keys().next()
    if (first.done) return []
    const { shape, alone } = this.#lines.get(first.value)![0]
    const taken = [this.#takeFrom(first.value, 0)]
    for (let found = true; found && !alone && taken.length < most; ) {
      found = false
      for (const client of [...this.#lines.keys()]) {
        const at = this.#lines.get(client)!.findIndex((item) => item.shape === shape && !item.alone)
        if (at < 0 || taken.length >= most) continue
        taken.push(this.#takeFrom(client, at))
        found = true
      }
    }
    return taken
  }

  /** Takes out what nobody waits for any more, and says how much that was. */
  remove(unwanted: (item: T) => boolean): number {
    const before = this.#length
    for (const [client, line] of [...this.#lines]) {
      const left = line.filter((item) => !unwanted(item))
      this.#length -= line.length - left.length
      if (left.length > 0) this.#lines.set(client, left)
      else this.#lines.delete(client)
    }
    return before - this.#length
  }

  #line(client: string): T[] {
    const line = this.#lines.get(client) ?? []
    this.#lines.set(client, line)
    return line
  }

  /** The client's next turn comes after those of all others. */
  #takeFrom(client: string, at: number): T {
    const line = this.#lines.get(client)!
    const [item] = line.splice(at, 1)
    this.#lines.delete(client)
    if (line.length > 0) this.#lines.set(client, line)
    this.#length--
    return item
  }
}
