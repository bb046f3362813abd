import type { Device } from '../../../runtime/device.ts'
import { connectTo } from '../nats/connection.node.ts'
import { NatsWire } from '../nats/nats_wire.node.ts'
import { ProcessWire } from '../processes/process_wire.node.ts'
import { FirstFailure } from '../staged/failure.ts'
import { StagedTransport } from '../staged/staged_transport.ts'
import type { Inbox, Wire } from '../staged/wire.ts'
import type { Transport } from '../transport.ts'
import type { HostsLinks } from './hosts_links.ts'

/**
 * Between the ranks of several machines: by sockets to those on the same one, by a NATS server to the others. Settles when
 * all have met.
 *
 * @throws DitError as processTransport and natsTransport
 */
export async function hostsTransport(device: Device, { near, far }: HostsLinks, rank: number): Promise<Transport> {
  const nc = await connectTo(far.access, `webdit rank ${rank}`, { reconnects: false })
  const [sockets, nats] = [new ProcessWire(near, rank), new NatsWire(nc, far, rank)]
  const wire = new HostsWire(sockets, nats, new Set(near.members))
  const transport = new StagedTransport(device, wire, rank, near.size)
  try {
    await Promise.all([sockets.meet(), nats.meet()])
    return transport
  } catch (error) {
    transport.fail(error)
    await transport.close()
    throw error
  }
}

/** Two wires as one. */
class HostsWire implements Wire {
  readonly #near: Wire
  readonly #far: Wire
  readonly #here: ReadonlySet<number>
  readonly #first = new FirstFailure()

  constructor(near: Wire, far: Wire, here: ReadonlySet<number>) {
    this.#near = near
    this.#far = far
    this.#here = here
    // What one of them hears ends the ranks that the other one reaches, too.
    for (const [wire, other] of [
      [near, far],
      [far, near],
    ]) {
      wire.failed.catch((error) => {
        this.#first.reject(error)
        other.fail(error)
      })
    }
  }

  get failed(): Promise<never> {
    return this.#first.failed
  }

  open(inbox: Inbox): void {
    this.#near.open(inbox)
    this.#far.open(inbox)
  }

  write(to: number, tag: string, bytes: Uint8Array): Promise<void> {
    return this.#to(to).write(to, tag, bytes)
  }

  lastHeard(rank: number): number {
    return this.#to(rank).lastHeard(rank)
  }

  fail(error: unknown): void {
    this.#near.fail(error)
    this.#far.fail(error)
  }

  async close(): Promise<void> {
    await Promise.all([this.#near.close(), this.#far.close()])
  }

  #to(rank: number): Wire {
    return this.#here.has(rank) ? this.#near : this.#far
  }
}
