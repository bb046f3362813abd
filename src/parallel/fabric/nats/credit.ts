/** What may be on its way to one rank before it says that it has some of it: neither side nor the server ever holds more. */
export class Credit {
  readonly #window: number
  #sent = 0
  #received = 0
  #wake: (() => void) | undefined

  /** @param window bytes */
  constructor(window: number) {
    this.#window = window
  }

  /** Waits for room; calls do not overlap. */
  async spend(bytes: number): Promise<void> {
    while (this.#sent - this.#received + bytes > this.#window) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#sent += bytes
  }

  /** @param received all bytes that arrived so far */
  restore(received: number): void {
    this.#received = received
    this.#wake?.()
  }
}
