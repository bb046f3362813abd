import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Device } from '../../../runtime/device.ts'
import { DitError } from '../../../runtime/errors.ts'
import { FirstFailure, failureOf, failureText, HEARTBEAT } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import { BEAT, BYE, FAILURE, FrameReader, frameHeader, MESSAGE } from './frames.ts'
import { type Rendezvous, socketPath } from './rendezvous.node.ts'

/** Between processes, by sockets of the local machine. Settles when all ranks have met. */
export async function processTransport(device: Device, links: Rendezvous, rank: number): Promise<Transport> {
  const wire = new ProcessWire(links, rank)
  await wire.meet()
  return new StagedTransport(device, wire, rank, links.size)
}

/** How often to look for a rank that does not listen yet, and for how long, in ms: devices can take long to open. */
const MEETING = { every: 20, longest: 120_000 }

class ProcessWire implements Wire {
  readonly #links: Rendezvous
  readonly #rank: number
  readonly #server: Server
  readonly #sockets: Socket[] = []
  readonly #heard: number[]
  readonly #gone = new Set<number>()
  readonly #first = new FirstFailure()
  #timer: ReturnType<typeof setInterval> | undefined
  #inbox: Inbox | undefined
  #all: () => void = () => {}

  constructor(links: Rendezvous, rank: number) {
    this.#links = links
    this.#rank = rank
    this.#heard = Array(links.size).fill(performance.now())
    // Who calls says who it is in the tag of a first frame.
    this.#server = createServer((socket) => this.#read(socket, undefined))
  }

  /** Ranks listen for those after them, and call those before. */
  async meet(): Promise<void> {
    const met = new Promise<void>((resolve) => {
      this.#all = resolve
    })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath(this.#links, this.#rank), resolve)
    })
    await Promise.all(Array.from({ length: this.#rank }, (_, other) => this.#call(other)))
    this.#check()
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#missing()), MEETING.longest)
    })
    await Promise.race([met, late, this.failed]).finally(() => clearTimeout(timer))
    this.#timer = setInterval(() => this.#tell(BEAT, ''), HEARTBEAT)
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    this.#inbox = inbox
    for (const socket of this.#sockets) socket?.resume()
  }

  async write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    const socket = this.#sockets[to]
    socket.write(frameHeader(MESSAGE, tag, bytes.length))
    if (bytes.length === 0) return
    await new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(this.#lost(to)) : resolve()))
    })
  }

  lastHeard(rank: number): number {
    return this.#heard[rank]
  }

  fail(error: unknown): void {
    this.#first.reject(error)
    this.#tell(FAILURE, failureText(error))
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#server.close()
    for (const [rank, socket] of this.#sockets.entries()) {
      if (!socket) continue
      this.#gone.add(rank)
      socket.end(frameHeader(BYE, '', 0))
      socket.unref()
    }
  }

  async #call(other: number): Promise<void> {
    for (const began = performance.now(); ; ) {
      try {
        const socket = await new Promise<Socket>((resolve, reject) => {
          const trying = connect(socketPath(this.#links, other), () => resolve(trying))
          trying.once('error', reject)
        })
        socket.write(frameHeader(BEAT, String(this.#rank), 0))
        this.#read(socket, other)
        return
      } catch {
        if (performance.now() - began > MEETING.longest) throw this.#missing()
        await new Promise((resolve) => setTimeout(resolve, MEETING.every))
      }
    }
  }

  /** Reads what comes from a rank, or from one that has yet to say who it is. */
  #read(socket: Socket, caller: number | undefined): void {
    let from = caller
    if (from !== undefined) this.#know(from, socket)
    const frames = new FrameReader((kind, tag, bytes) => {
      if (from === undefined) {
        from = Number(tag)
        this.#know(from, socket)
      }
      this.#heard[from] = performance.now()
      if (kind === MESSAGE) return this.#inbox!.begin(from, tag, bytes)
      if (kind === FAILURE) this.#first.reject(failureOf(tag))
      if (kind === BYE) this.#gone.add(from)
      return { target: new Uint8Array(bytes), done: () => {} }
    })
    socket.on('data', (bytes) => {
      if (from !== undefined) this.#heard[from] = performance.now()
      frames.take(bytes)
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      if (from !== undefined && !this.#gone.has(from)) this.fail(this.#lost(from))
    })
  }

  #know(rank: number, socket: Socket): void {
    this.#sockets[rank] = socket
    // Messages wait for somebody to take them.
    if (!this.#inbox) queueMicrotask(() => this.#inbox ?? socket.pause())
    this.#check()
  }

  #check(): void {
    let met = 0
    for (const socket of this.#sockets) if (socket) met++
    if (met === this.#links.size - 1) this.#all()
  }

  #tell(kind: number, tag: string): void {
    for (const [rank, socket] of this.#sockets.entries()) {
      if (socket && !this.#gone.has(rank)) socket.write(frameHeader(kind, tag, 0))
    }
  }

  #lost(rank: number): DitError {
    return new DitError('device-lost', `rank ${rank} is gone: its process ended`, 'run again')
  }

  #missing(): DitError {
    const missing = Array.from({ length: this.#links.size }, (_, rank) => rank)
      .filter((rank) => rank !== this.#rank && !this.#sockets[rank])
      .join(', ')
    return new DitError('device-lost', `rank ${this.#rank} waited in vain for the ranks ${missing} to start`)
  }
}
