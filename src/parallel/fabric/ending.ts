import type { Transport } from './transport.ts'

/** Ends whatever waits when one of the ranks has failed. One look at the transport serves all messages of a run. */
export class Ending {
  #error: { readonly cause: unknown } | undefined
  readonly #waiting = new Set<(cause: unknown) => void>()

  constructor({ failed }: Pick<Transport, 'failed'>) {
    failed.catch((cause) => {
      this.#error = { cause }
      for (const end of this.#waiting) end(cause)
      this.#waiting.clear()
    })
  }

  /** What `start` gives, or the error that ended all work; after that nothing starts any more. */
  until<T>(start: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#error) throw this.#error.cause
      const settle = <V>(act: (value: V) => void) => {
        return (value: V) => {
          this.#waiting.delete(reject)
          act(value)
        }
      }
      start().then(settle(resolve), settle(reject))
      this.#waiting.add(reject)
    })
  }
}
