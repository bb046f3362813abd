import type { NatsConnection } from '@nats-io/transport-node'
import type { Device } from '../../../runtime/device.ts'
import { DitError } from '../../../runtime/errors.ts'
import { FrameReader, frameHeader, MESSAGE } from '../processes/frames.ts'
import { FirstFailure, failureOf, failureText, HEARTBEAT } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import { connectTo } from './connection.node.ts'
import { Credit } from './credit.ts'
import type { NatsLinks } from './nats_links.ts'
import { openParcel, PIECE_HEADER, piece, TELLS, telling } from './parcels.ts'

/**
 * Between machines, by a NATS server that they all reach. Settles when all ranks have met.
 *
 * @throws DitError 'io' where there is no server, 'device-lost' naming a rank that did not come
 */
export async function natsTransport(device: Device, links: NatsLinks, rank: number): Promise<Transport> {
  const nc = await connectTo(links.access, `webdit rank ${rank}`, { reconnects: false })
  const wire = new NatsWire(nc, links, rank)
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

/** Bytes on their way from one rank to another: what 1 Gbit/s takes in 32 ms. The server drops who has 64 MiB ahead of it. */
const WINDOW = 4 * 2 ** 20
const ALL_WINDOWS = 48 * 2 ** 20
/** Bytes of a piece at most: small ones begin to arrive early, large ones cost less each. */
const PIECE = 128 * 1024
/** How long ranks may take to open their devices, and how often to call them, in ms. */
const MEETING = { every: 500, longest: 120_000 }

/** What is known of another rank. */
interface Peer {
  readonly credit: Credit
  readonly frames: FrameReader
  /** Pieces that were sent to it and came from it. */
  sent: number
  came: number
  /** Bytes that came, and those that it knows of. */
  bytes: number
  told: number
  heard: number
  met: boolean
  /** It has ended, or is not reached this way. */
  gone: boolean
}

/** For itself, or beside a wire to the ranks of the same machine. */
export class NatsWire implements Wire {
  readonly #nc: NatsConnection
  readonly #links: NatsLinks
  readonly #rank: number
  readonly #peers: readonly Peer[]
  readonly #window: number
  readonly #most: number
  readonly #first = new FirstFailure()
  #met: () => void = () => {}
  #failed = false
  #closed = false
  #timer: ReturnType<typeof setInterval> | undefined
  #inbox: Inbox | undefined

  constructor(nc: NatsConnection, links: NatsLinks, rank: number) {
    this.#nc = nc
    this.#links = links
    this.#rank = rank
    const { members } = links
    const far = (other: number) => other !== rank && (members?.includes(other) ?? true)
    this.#window = Math.min(WINDOW, Math.floor(ALL_WINDOWS / links.size))
    this.#most = Math.min(PIECE, nc.info?.max_payload ?? PIECE) - PIECE_HEADER
    this.#peers = Array.from({ length: links.size }, (_, from) => ({
      credit: new Credit(Math.max(this.#window, this.#most)),
      frames: new FrameReader((_, tag, bytes) => this.#inbox!.begin(from, tag, bytes)),
      ...{ sent: 0, came: 0, bytes: 0, told: 0, heard: performance.now(), met: !far(from), gone: !far(from) },
    }))
    void nc.closed().then((cause) => {
      if (!this.#closed) this.fail(cutOff(rank, cause))
    })
  }

  /** Calls all others until each has answered. */
  async meet(): Promise<void> {
    const { mesh } = this.#links
    const prefix = `${mesh}.${this.#rank}.`
    this.#nc.subscribe(`${prefix}*`, {
      callback: (error, { subject, data }) => {
        if (!error) this.#take(Number(subject.slice(prefix.length)), data)
      },
    })
    const met = new Promise<void>((resolve) => {
      this.#met = resolve
    })
    const call = () => {
      for (const [rank, { met }] of this.#peers.entries()) if (!met) this.#tell(rank, telling(TELLS.hello))
    }
    const calling = setInterval(call, MEETING.every)
    let late: ReturnType<typeof setTimeout> | undefined
    const inVain = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(this.#missed()), MEETING.longest)
    })
    try {
      call()
      this.#meeting()
      await Promise.race([met, inVain, this.failed])
    } finally {
      clearInterval(calling)
      clearTimeout(late)
    }
    const now = performance.now()
    for (const peer of this.#peers) peer.heard = now
    this.#timer = setInterval(() => this.#tellAll(telling(TELLS.beat)), HEARTBEAT)
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    this.#inbox = inbox
  }

  async write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    const header = frameHeader(MESSAGE, tag, bytes.length)
    const all = header.length + bytes.length
    const peer = this.#peers[to]
    for (let at = 0; at < all; ) {
      const end = Math.min(all, at + this.#most)
      await Promise.race([peer.credit.spend(end - at), this.failed])
      const parts = [
        header.subarray(at, end),
        bytes.subarray(Math.max(0, at - header.length), Math.max(0, end - header.length)),
      ]
      this.#tell(to, piece(++peer.sent, parts))
      at = end
    }
  }

  lastHeard(rank: number): number {
    return this.#peers[rank].heard
  }

  fail(error: unknown): void {
    if (this.#failed || this.#closed) return
    this.#failed = true
    this.#first.reject(error)
    this.#tellAll(telling(TELLS.failure, failureText(error)))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    this.#tellAll(telling(TELLS.bye))
    if (!this.#nc.isClosed()) await this.#nc.flush().catch(() => {})
    await this.#nc.close()
  }

  #take(from: number, data: Uint8Array): void {
    const peer = this.#peers[from]
    if (!peer || this.#closed) return
    peer.heard = performance.now()
    try {
      const parcel = openParcel(data)
      if (parcel.number > 0 && 'bytes' in parcel) this.#stream(from, peer, parcel)
      else if ('what' in parcel) this.#hear(from, peer, parcel.what, parcel.text)
    } catch (error) {
      this.fail(error)
    }
  }

  #stream(from: number, peer: Peer, { number, bytes }: { number: number; bytes: Uint8Array }): void {
    if (number !== ++peer.came) {
      throw new DitError(
        'device-lost',
        `what rank ${from} sent to rank ${this.#rank} came with a gap: the NATS server dropped some of it`,
        'Run again; if it happens again, look for "Slow Consumer" in the log of the server.',
      )
    }
    peer.bytes += bytes.length
    peer.frames.take(bytes)
    if (peer.bytes - peer.told < this.#window / 8) return
    peer.told = peer.bytes
    this.#tell(from, telling(TELLS.received, String(peer.bytes)))
  }

  #hear(from: number, peer: Peer, what: number, text: string): void {
    if (what === TELLS.received) peer.credit.restore(Number(text))
    if (what === TELLS.hello) this.#tell(from, telling(TELLS.helloBack))
    if (what === TELLS.hello || what === TELLS.helloBack) {
      peer.met = true
      this.#meeting()
    }
    if (what === TELLS.failure) {
      this.#failed = true
      this.#first.reject(failureOf(text))
    }
    if (what === TELLS.bye) peer.gone = true
  }

  #meeting(): void {
    if (this.#peers.every(({ met }) => met)) this.#met()
  }

  #missed(): DitError {
    const rank = this.#peers.findIndex(({ met }) => !met)
    return new DitError(
      'device-lost',
      `rank ${this.#rank} waited in vain for rank ${rank} to start: it has not come for ${MEETING.longest / 1000} s`,
    )
  }

  #tell(to: number, parcel: Uint8Array): void {
    if (!this.#nc.isClosed()) this.#nc.publish(`${this.#links.mesh}.${to}.${this.#rank}`, parcel)
  }

  #tellAll(parcel: Uint8Array): void {
    for (const [rank, { gone }] of this.#peers.entries()) if (!gone) this.#tell(rank, parcel)
  }
}

const cutOff = (rank: number, cause: unknown): DitError =>
  new DitError(
    'device-lost',
    `rank ${rank} lost its connection to the NATS server${cause instanceof Error ? `: ${cause.message}` : ''}`,
    'Run again when the server is back.',
    { cause },
  )
