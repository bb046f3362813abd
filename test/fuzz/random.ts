/** A seeded stream of choices: mulberry32, small and good enough to choose mutations. */
export class Random {
  #state: number

  /** One stream for each case of each seed. */
  constructor(seed: number, number: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35)
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** The same items in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const items = [...list]
    for (let i = items.length - 1; i > 0; i--) {
      const k = this.below(i + 1)
      ;[items[i], items[k]] = [items[k], items[i]]
    }
    return items
  }
}
