import { existsSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { DitError } from '../../../runtime/errors.ts'
import { FrameReader, frameHeader, HELLO } from './frames.ts'
import { type Rendezvous, socketPath } from './rendezvous.node.ts'

/** What a rank hears of another one: bytes, and that there will be no more. */
export interface Listener {
  bytes(from: number, bytes: Uint8Array): void
  ended(from: number): void
}

/** How often to look for a rank that does not listen yet, and for how long, in ms: devices can take long to open. */
const MEETING = { every: 20, longest: 120_000 }

/** What a socket's bytes are read into: more than Linux has on their way at once, and little enough for a core's cache. */
const READ_BYTES = 256 * 1024

/**
 * A rank's sockets: for each other rank one to write to and one to read from, because Node reads into memory that is kept
 * (three times as fast) only on sockets that called. So every rank listens, and calls all others.
 */
export class Meeting {
  /** What this rank writes to, by who reads it. */
  readonly to: Socket[] = []
  readonly #from: Socket[] = []
  readonly #links: Rendezvous
  readonly #rank: number
  readonly #listener: Listener
  readonly #server: Server
  #closed = false

  constructor(links: Rendezvous, rank: number, listener: Listener) {
    this.#links = links
    this.#rank = rank
    this.#listener = listener
    this.#server = createServer()
  }

  /**
   * Settles when this rank can write to all others, and hears all of them.
   *
   * @throws DitError 'device-lost' naming a rank that did not come
   */
  async all(): Promise<void> {
    const { size, members = Array.from({ length: size }, (_, rank) => rank) } = this.#links
    const others = members.filter((rank) => rank !== this.#rank)
    const called = this.#called(others.length)
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath(this.#links, this.#rank), resolve)
    })
    await Promise.all([called, ...others.map((other) => this.#call(other))])
    this.#server.close() // its path is free again
  }

  close(): void {
    this.#closed = true
    this.#server.close()
    for (const socket of this.#from) socket?.destroy()
    for (const socket of this.to) socket?.destroy()
  }

  #called(times: number): Promise<void> {
    return new Promise((resolve) => {
      if (times === 0) resolve()
      this.#server.on('connection', (socket) => {
        const hello = new FrameReader((_, caller) => {
          this.to[Number(caller)] = socket
          if (--times === 0) resolve()
          return { target: new Uint8Array(), done() {} }
        })
        socket.on('data', (bytes) => hello.take(bytes))
        socket.on('error', () => {}) // what became of the other rank is heard where it writes
      })
    })
  }

  async #call(other: number): Promise<void> {
    const { directory } = this.#links
    for (const began = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, MEETING.every))) {
      const socket = await this.#try(other)
      if (socket) return void socket.write(frameHeader(HELLO, String(this.#rank), 0))
      const missed = `rank ${this.#rank} waited in vain for rank ${other} to start`
      if (this.#closed || !existsSync(directory)) throw new DitError('device-lost', `${missed}: all were told to end`)
      if (performance.now() - began > MEETING.longest) {
        throw new DitError('device-lost', `${missed}: it has not come for ${MEETING.longest / 1000} s`)
      }
    }
  }

  #try(other: number): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const { bytes, ended } = this.#listener
      const path = socketPath(this.#links, other)
      const buffer = new Uint8Array(READ_BYTES)
      const onread = {
        buffer,
        callback(count: number) {
          bytes(other, buffer.subarray(0, count))
          return true // goes on
        },
      }
      const socket = connect({ path, onread }, () => {
        this.#from[other] = socket
        socket.on('close', () => ended(other))
        resolve(socket)
      })
      socket.on('error', () => resolve(undefined)) // 'close' follows
    })
  }
}
