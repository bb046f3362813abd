import type { Device } from '../../../runtime/device.ts'
import { DitError } from '../../../runtime/errors.ts'
import { FirstFailure, failureOf, failureText, HEARTBEAT } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import { BEAT, BYE, FAILURE, FrameReader, type FrameTarget, frameHeader, MESSAGE } from './frames.ts'
import { Meeting } from './meeting.node.ts'
import type { Rendezvous } from './rendezvous.node.ts'

/**
 * Between processes, by sockets of the local machine. Settles when all ranks have met.
 *
 * @throws DitError 'device-lost' naming a rank that did not come, or that ended meanwhile
 */
export async function processTransport(device: Device, links: Rendezvous, rank: number): Promise<Transport> {
  const wire = new ProcessWire(links, rank)
  // Opens the wire: a rank that has met all others already may send something before this one has.
  const transport = new StagedTransport(device, wire, rank, links.size)
  try {
    await wire.meet()
    return transport
  } catch (error) {
    transport.fail(error)
    await transport.close()
    throw error
  }
}

/**
 * Messages between processes on Unix sockets (pipes on Windows). 64 KiB / 1 / 8 / 64 MiB at a time, each acknowledged, in
 * GB/s on two cores of a virtual machine with Node 20: 0.65 / 4.3 / 6.8 / 8.2. Sockets that Node gives new memory for each
 * 64 KiB that it reads: 0.54 / 0.72 / 1.6 / 3.1. A ring of 4 MiB in a file on /dev/shm, written and read by fs calls with
 * sockets to tell of it: 0.59 / 4.8 / 4.0 / 5.4, so that is left out. `npm run bench -- processes` measures it.
 */
export class ProcessWire implements Wire {
  readonly #meeting: Meeting
  readonly #heard: number[]
  readonly #frames: readonly FrameReader[]
  /** Ranks that have said that they end. */
  readonly #gone = new Set<number>()
  readonly #first = new FirstFailure()
  #failed = false
  #closed = false
  #timer: ReturnType<typeof setInterval> | undefined
  #inbox: Inbox | undefined

  constructor(links: Rendezvous, rank: number) {
    this.#heard = Array(links.size).fill(performance.now())
    this.#frames = this.#heard.map(
      (_, from) => new FrameReader((kind, tag, bytes) => this.#begin(from, kind, tag, bytes)),
    )
    this.#meeting = new Meeting(links, rank, {
      bytes: (from, bytes) => this.#read(from, bytes),
      ended: (from) => {
        if (!this.#closed && !this.#gone.has(from)) this.fail(ended(from))
      },
    })
  }

  async meet(): Promise<void> {
    await Promise.race([this.#meeting.all(), this.failed])
    this.#heard.fill(performance.now())
    this.#timer = setInterval(() => this.#tell(BEAT), HEARTBEAT)
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    this.#inbox = inbox
  }

  write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    const socket = this.#meeting.to[to]
    return new Promise((resolve) => {
      socket.cork() // both at once
      socket.write(frameHeader(MESSAGE, tag, bytes.length))
      // Fails where nobody reads any more: whether that rank ended as it should is heard where it writes.
      socket.write(bytes, () => resolve())
      socket.uncork()
    })
  }

  lastHeard(rank: number): number {
    return this.#heard[rank]
  }

  fail(error: unknown): void {
    if (this.#failed || this.#closed) return
    this.#failed = true
    this.#first.reject(error)
    this.#tell(FAILURE, failureText(error))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    clearInterval(this.#timer)
    const farewells = this.#meeting.to.map(
      (socket) => new Promise<void>((resolve) => socket.end(frameHeader(BYE, '', 0), resolve)),
    )
    const late = new Promise((resolve) => setTimeout(resolve, FAREWELL[this.#failed ? 'failed' : 'done']).unref())
    await Promise.race([Promise.all(farewells), late])
    this.#closed = true
    this.#meeting.close()
  }

  #read(from: number, bytes: Uint8Array): void {
    this.#heard[from] = performance.now()
    try {
      this.#frames[from].take(bytes)
    } catch (error) {
      this.fail(error)
    }
  }

  #begin(from: number, kind: number, tag: string, bytes: number): FrameTarget {
    if (kind === MESSAGE) return this.#inbox!.begin(from, tag, bytes)
    if (kind === FAILURE) {
      this.#failed = true
      this.#first.reject(failureOf(tag))
    }
    if (kind === BYE) this.#gone.add(from)
    return { target: new Uint8Array(bytes), done() {} }
  }

  #tell(kind: number, tag = ''): void {
    for (const socket of this.#meeting.to) if (socket?.writable) socket.write(frameHeader(kind, tag, 0))
  }
}

/** How long a rank that ends waits for others to take what it wrote to them, in ms. */
const FAREWELL = { done: 10_000, failed: 1000 }

const ended = (rank: number): DitError =>
  new DitError('device-lost', `rank ${rank} is gone: its process ended while others needed it`, 'run again')
