import type { Device } from '../../../runtime/device.ts'
import { FirstFailure, failureOf, failureText, HEARTBEAT } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import type { PortLinks } from './port_links.ts'

/** Between workers that share no memory: buffers are handed over from one to the other. */
export const portTransport = (device: Device, links: PortLinks, rank: number): Transport =>
  new StagedTransport(device, new PortWire(links), rank, links.length)

/** What passes between two ranks: a message, a sign of life, or the end of all. */
type Note =
  | { readonly tag: string; readonly bytes: ArrayBuffer }
  | { readonly beat: true }
  | { readonly failure: string }

class PortWire implements Wire {
  readonly #ports: PortLinks
  readonly #heard: number[]
  readonly #begun: boolean[]
  readonly #first = new FirstFailure()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(ports: PortLinks) {
    this.#ports = ports
    this.#heard = ports.map(() => performance.now())
    this.#begun = ports.map(() => false)
    const beat = () => this.#tell({ beat: true })
    beat()
    this.#timer = setInterval(beat, HEARTBEAT)
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    for (const [from, port] of this.#ports.entries()) {
      if (!port) continue
      port.onmessage = ({ data }: MessageEvent<Note>) => {
        this.#heard[from] = performance.now()
        this.#begun[from] = true
        if ('failure' in data) this.#first.reject(failureOf(data.failure))
        if (!('bytes' in data)) return
        try {
          const { target, done } = inbox.begin(from, data.tag, data.bytes.byteLength)
          target.set(new Uint8Array(data.bytes))
          done()
        } catch (error) {
          this.fail(error)
        }
      }
    }
  }

  async write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    // Mapped memory cannot be handed over itself.
    const copy = bytes.slice().buffer
    this.#ports[to]!.postMessage({ tag, bytes: copy } satisfies Note, [copy])
  }

  lastHeard(rank: number): number {
    // One that has not begun is not silent yet: whoever starts it hears if it does not.
    return this.#begun[rank] ? this.#heard[rank] : performance.now()
  }

  fail(error: unknown): void {
    this.#first.reject(error)
    this.#tell({ failure: failureText(error) })
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const port of this.#ports) port?.close()
  }

  #tell(note: Note): void {
    for (const port of this.#ports) port?.postMessage(note)
  }
}
