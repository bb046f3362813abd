import type { Drawer, OpenDrawer } from '../drawer.ts'

/** ms between two tries to open a device again: doubled from the first to the last. */
const [FIRST_PAUSE, LAST_PAUSE] = [1000, 30_000]

/** One device or mesh that draws, and is opened again where it was lost. */
export class Line {
  /** Pictures that fit it together, as far as is known. */
  most: number
  readonly #open: OpenDrawer
  readonly #onNote: (line: string) => void
  #drawer: Drawer | undefined

  /** @param drawer opened already */
  constructor(open: OpenDrawer, drawer: Drawer, most: number, onNote: (line: string) => void) {
    this.#open = open
    this.#drawer = drawer
    this.most = most
    this.#onNote = onNote
  }

  /** Undefined while it is lost. */
  get drawer(): Drawer | undefined {
    return this.#drawer
  }

  async lose(error: unknown): Promise<void> {
    this.#onNote(`a device was lost, and is opened again: ${said(error)}`)
    await this.close()
  }

  /** Tries until it is open, or the signal fires. */
  async reopen(signal: AbortSignal): Promise<Drawer | undefined> {
    for (let pause = FIRST_PAUSE; !this.#drawer && !signal.aborted; pause = Math.min(2 * pause, LAST_PAUSE)) {
      try {
        this.#drawer = await this.#open()
        this.#onNote('the device is open again')
      } catch (error) {
        this.#onNote(`the device cannot be opened: ${said(error)}`)
        await sleep(pause, signal)
      }
    }
    return this.#drawer
  }

  async close(): Promise<void> {
    const drawer = this.#drawer
    this.#drawer = undefined
    // What is lost may fail to close; nothing depends on it.
    await drawer?.close().catch(() => {})
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
