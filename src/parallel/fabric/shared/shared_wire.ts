import type { Device } from '../../../runtime/device.ts'
import { FirstFailure, failureOf, failureText, HEARTBEAT } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import { Ring } from './ring.ts'
import { FAILURE_BYTES, type SharedLinks } from './shared_links.ts'
import { changed } from './signals.ts'

/** Between threads that share memory. */
export const sharedTransport = (device: Device, links: SharedLinks, rank: number): Transport =>
  new StagedTransport(device, new SharedWire(links, rank), rank, links.size)

/** What the first word of `failure` says. */
const [NONE, BEING_WRITTEN, FAILED] = [0, 1, 2]

/** Before each message: bytes of the tag's name and of the message, and the name as far as it fits. */
const HEADER_BYTES = 64
const NAME_BYTES = HEADER_BYTES - 8

class SharedWire implements Wire {
  readonly #links: SharedLinks
  readonly #rank: number
  readonly #beats: Int32Array
  readonly #heard: { beats: number; at: number }[]
  readonly #state: Int32Array
  readonly #first = new FirstFailure()
  readonly #timer: ReturnType<typeof setInterval>
  #closed = false

  constructor(links: SharedLinks, rank: number) {
    this.#links = links
    this.#rank = rank
    this.#beats = new Int32Array(links.beats)
    this.#heard = Array.from({ length: links.size }, () => ({ beats: 0, at: performance.now() }))
    this.#state = new Int32Array(links.failure, 0, 2)
    const beat = () => Atomics.add(this.#beats, rank, 1)
    beat()
    this.#timer = setInterval(beat, HEARTBEAT)
    void this.#listen()
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    for (let from = 0; from < this.#links.size; from++) {
      if (from !== this.#rank) this.#pump(from, inbox).catch((error) => this.fail(error))
    }
  }

  async #pump(from: number, inbox: Inbox): Promise<void> {
    const ring = new Ring(this.#links.rings[from][this.#rank]!)
    const header = new Uint8Array(HEADER_BYTES)
    const [letters, size] = [new Uint32Array(header.buffer, 0, 1), new Uint32Array(header.buffer, 4, 1)]
    while (!this.#closed) {
      await ring.read(header)
      const name = new Uint8Array(letters[0])
      const rest = Math.max(0, name.length - NAME_BYTES)
      name.set(header.subarray(8, 8 + name.length - rest))
      if (rest > 0) await ring.read(name.subarray(NAME_BYTES))
      const tag = new TextDecoder().decode(name)
      const { target, done } = inbox.begin(from, tag, size[0])
      await ring.read(target)
      done()
    }
  }

  async write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    const ring = new Ring(this.#links.rings[this.#rank][to]!)
    const name = new TextEncoder().encode(tag)
    const header = new Uint8Array(HEADER_BYTES)
    new Uint32Array(header.buffer).set([name.length, bytes.length])
    header.set(name.subarray(0, NAME_BYTES), 8)
    await ring.write(header)
    if (name.length > NAME_BYTES) await ring.write(name.subarray(NAME_BYTES))
    await ring.write(bytes)
  }

  lastHeard(rank: number): number {
    const beats = Atomics.load(this.#beats, rank)
    const heard = this.#heard[rank]
    // One that has not begun is not silent yet: whoever starts it hears if it does not.
    if (beats === 0 || beats !== heard.beats) this.#heard[rank] = { beats, at: performance.now() }
    return this.#heard[rank].at
  }

  fail(error: unknown): void {
    if (Atomics.compareExchange(this.#state, 0, NONE, BEING_WRITTEN) !== NONE) return
    const text = new TextEncoder().encode(failureText(error)).subarray(0, FAILURE_BYTES)
    new Uint8Array(this.#links.failure, 8).set(text)
    this.#state[1] = text.length
    Atomics.store(this.#state, 0, FAILED)
    Atomics.notify(this.#state, 0)
    this.#first.reject(error)
  }

  async #listen(): Promise<void> {
    for (let state = Atomics.load(this.#state, 0); state !== FAILED; state = Atomics.load(this.#state, 0)) {
      await changed(this.#state, 0, state)
      if (this.#closed) return
    }
    // A copy: decoders take no shared memory.
    const text = new Uint8Array(this.#links.failure, 8, this.#state[1]).slice()
    this.#first.reject(failureOf(new TextDecoder().decode(text)))
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
  }
}
