import { DitError } from './errors.ts'

/** How long news of a loss may come after what it broke, in ms, and how often to look for it. */
const NEWS = { late: 200, every: 5 }

/** What goes wrong on a device: errors that no scope caught, and the loss of the device. */
export class Failures {
  #failure: DitError | undefined
  #lost: DitError | undefined
  #users = 0
  readonly #waiting = new Set<(lost: DitError) => void>()

  /** `name`: the device, for people. */
  constructor(gpu: GPUDevice, name: () => string) {
    gpu.addEventListener('uncapturederror', (event) => {
      this.add(typedError((event as GPUUncapturedErrorEvent).error))
    })
    gpu.lost.then((lost) => {
      this.lose(
        `the device ${name()} was lost: ${lost.message || lost.reason}`,
        'run again; if it happens again, try a smaller size or update the GPU driver',
      )
    })
  }

  add(failure: DitError): void {
    this.#failure ??= failure
  }

  /** Nothing will come of the device any more: ends what waits for it. The first reason stands. */
  lose(message: string, hint: string): void {
    this.#lost ??= new DitError('device-lost', message, hint)
    for (const end of this.#waiting) end(this.#lost)
  }

  /** @throws DitError 'device-lost', or the first error that no scope caught since something began to use the device */
  throwIfAny(): void {
    const error = this.#lost ?? this.#failure
    if (error) throw error
  }

  /**
   * Runs `body`, which uses the device. An uncaught error fails everything that uses the device at the time, since
   * nobody knows whose it is, and is forgotten before something uses an idle device.
   */
  async during<T>(body: () => Promise<T>): Promise<T> {
    if (this.#users === 0) this.#failure = undefined
    this.#users++
    try {
      this.throwIfAny()
      return await body()
    } catch (error) {
      throw await this.#explained(error)
    } finally {
      this.#users--
    }
  }

  /**
   * `work`, or the loss of the device: not every runtime ends promises of a lost device, so that they get a moment to
   * end by themselves and no more. (Dawn ends the process where a worker ends before its promises.)
   */
  unlessLost<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (lost: DitError) => void setTimeout(() => reject(lost), NEWS.late)
      if (this.#lost) end(this.#lost)
      else this.#waiting.add(end)
      const settle = (act: () => void) => {
        this.#waiting.delete(end)
        if (this.#lost) reject(this.#lost)
        else act()
      }
      work.then(
        (value) => settle(() => resolve(value)),
        async (cause) => {
          const error = await this.#explained(cause)
          settle(() => reject(error))
        },
      )
    })
  }

  /** What broke is told before why it did: gives the loss of the device time to become known. */
  async #explained(cause: unknown): Promise<unknown> {
    const own = cause instanceof DitError
    if (own && cause.kind !== 'validation') return cause
    if (!own && !isGpuError(cause)) return cause
    for (let waited = 0; !this.#lost && waited < NEWS.late; waited += NEWS.every) {
      await new Promise((resolve) => setTimeout(resolve, NEWS.every))
    }
    if (this.#lost || own) return this.#lost ?? cause
    return new DitError('validation', `the device refused a command: ${(cause as Error).message}`, REPORT, { cause })
  }
}

/** What WebGPU's promises are rejected with: the user's own errors from callbacks are no business of the device. */
const isGpuError = (cause: unknown): boolean =>
  cause instanceof Error && ['AbortError', 'OperationError', 'GPUPipelineError'].includes(cause.name)

const REPORT = 'this is a fault of webdit: please report it with the output of `webdit doctor`'

/** The error that a scope or an event tells of. */
export function typedError(error: GPUError): DitError {
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return new DitError('out-of-memory', `the device is out of memory: ${error.message}`, 'use a smaller size')
  }
  return new DitError('validation', `the device refused a command: ${error.message}`, REPORT)
}
