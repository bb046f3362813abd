import { DitError, type DitErrorKind } from '../runtime/errors.ts'

/** A DitError as plain data. */
export interface PlainFailure {
  readonly kind: DitErrorKind
  readonly message: string
  readonly hint?: string
}

/** An outcome that crosses threads; errors keep their kind and hint. */
export type Outcome<T> = { readonly value: T } | { readonly failure: PlainFailure }

export const plainFailure = ({ kind, message, hint }: DitError): PlainFailure => ({ kind, message, hint })

export const typedFailure = ({ kind, message, hint }: PlainFailure): DitError => new DitError(kind, message, hint)

/** Calls under way, by the numbers that their caller gave them. */
export class Calls {
  readonly #calls = new Map<number, { readonly stop: AbortController; readonly ended: Promise<void> }>()

  /**
   * Carries out a call. Its news travel on ports of their own while it goes on, so the outcome waits until all of them
   * have arrived; `told` takes the promise of each.
   */
  async outcome<T>(
    call: number,
    body: (signal: AbortSignal, told: (arrival: unknown) => void) => Promise<T>,
  ): Promise<Outcome<T>> {
    const stop = new AbortController()
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#calls.set(call, { stop, ended })
    let arrivals: Promise<unknown> = Promise.resolve()
    const told = (arrival: unknown) => {
      arrivals = Promise.all([arrivals, arrival])
      arrivals.catch(() => {}) // heard below
    }
    try {
      const value = await body(stop.signal, told)
      await arrivals
      return { value }
    } catch (error) {
      if (!(error instanceof DitError)) throw error
      return { failure: plainFailure(error) }
    } finally {
      this.#calls.delete(call)
      end()
    }
  }

  /** Stops that call, if it is under way. */
  abort(call: number): void {
    this.#calls.get(call)?.stop.abort()
  }

  /** Stops all calls, and waits until they have ended. */
  async end(): Promise<void> {
    for (const { stop } of this.#calls.values()) stop.abort()
    await Promise.all([...this.#calls.values()].map(({ ended }) => ended))
  }
}
