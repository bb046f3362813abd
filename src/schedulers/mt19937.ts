const SIZE = 624
const MIDDLE = 397

/**
 * The 32-bit Mersenne twister (Matsumoto and Nishimura 1998), as torch's CPU generator seeds and runs it.
 * The seed is an unsigned 32-bit integer.
 */
export class Mt19937 {
  private readonly state = new Uint32Array(SIZE)
  private next = SIZE

  constructor(seed: number) {
    this.state[0] = seed
    for (let i = 1; i < SIZE; i++) {
      const previous = this.state[i - 1]
      this.state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i
    }
  }

  /** The next 32 random bits, as an unsigned integer. */
  word(): number {
    if (this.next === SIZE) this.twist()
    let y = this.state[this.next++]
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  /** Its words, and which of them comes next. */
  save(): { words: Uint32Array; next: number } {
    return { words: this.state.slice(), next: this.next }
  }

  restore({ words, next }: { words: Uint32Array; next: number }): void {
    this.state.set(words)
    this.next = next
  }

  private twist(): void {
    const { state } = this
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff)
      state[i] = state[(i + MIDDLE) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.next = 0
  }
}
