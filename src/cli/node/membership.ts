import { randomBytes } from 'node:crypto'
import { hostname, totalmem } from 'node:os'
import type { NodeInfo } from '../../cluster/node/node_info.ts'
import type { Rooms } from '../../cluster/rooms.ts'
import { modelFacts } from '../../pipelines/model_facts.ts'
import type { Loading } from '../generate/drawing.ts'
import { VERSION } from '../package_info.ts'
import type { MeasuredDevices } from './measured_devices.ts'
import type { NodeMetrics } from './metrics.ts'
import type { NodeSettings } from './options.ts'

export interface NodeOptions {
  readonly rooms: Rooms
  readonly loading: Loading
  /** What requests call the model. */
  readonly name: string
  readonly settings: NodeSettings
  readonly metrics: NodeMetrics
}

/** What a node does once it has joined. */
export interface Work {
  /** What it has in hand, and how much it has done. */
  readonly jobs: readonly string[]
  readonly done: number
  /** What it says of itself, behind its name. */
  readonly does: string
  /** Begins nothing more. */
  drain(): void
  /** Settles when it was told to drain, and what was in hand is done. */
  work(): Promise<void>
  close(): Promise<void>
}

/** What work is opened with. */
export interface Member {
  readonly id: string
  readonly digest: string
  /** Tells the cluster what has changed. */
  changed(): void
}

/**
 * Joins the cluster, works until the signal fires and what is in hand is done, and leaves.
 *
 * @param about what it tells of its devices
 * @param open loads the model; one that may not join need not
 */
export async function asMember(
  { rooms, loading, name, metrics }: NodeOptions,
  about: { readonly devices: MeasuredDevices } & Pick<NodeInfo, 'meshes' | 'ranks' | 'lends'>,
  open: (member: Member) => Promise<Work>,
): Promise<void> {
  const { io, source } = loading
  const { Announcement, SKEW } = await import('../../cluster/node/announcement.ts')
  const { measureLink } = await import('../../cluster/node/link.ts')
  const { modelDigest } = await import('../../cluster/model/digest.ts')
  const { cardOf, leaveCard } = await import('../../cluster/model/card.ts')
  const { className } = await modelFacts(source)
  io.status('reading the weights’ digest')
  const digest = await modelDigest(loading)
  const [id, link] = [nodeId(), await measureLink(rooms.nc)]
  const { devices, meshes, ranks, lends } = about
  let work: Work | undefined
  const tell = (): Omit<NodeInfo, 'skew'> => ({
    id,
    host: hostname(),
    pid: process.pid,
    version: VERSION,
    model: { name, digest },
    devices: devices.names,
    meshes,
    ranks,
    ...(lends && { lends }),
    memory: { device: loading.choice.memory, host: totalmem() },
    flops: devices.flops,
    link,
    state: io.signal.aborted ? 'draining' : work?.jobs.length ? 'drawing' : 'idle',
    jobs: work?.jobs ?? [],
    done: work?.done ?? 0,
  })
  const announcement = new Announcement(rooms, tell)
  await announcement.check()
  const own = await open({ id, digest, changed: () => void announcement.tell() })
  work = own
  try {
    await leaveCard(rooms, await cardOf(source, { name, digest, weights: loading.weights, loras: loading.loras }))
    const skew = await announcement.join()
    if (Math.abs(skew) > SKEW) {
      const what = `${(Math.abs(skew) / 1000).toFixed(0)} s ${skew > 0 ? 'ahead of' : 'behind'} the server's`
      io.note(`warning: this machine's clock is ${what}: certificates may be refused, and logs mislead`)
    }
    io.status('')
    if (metrics.address !== undefined) io.note(`metrics: ${metrics.address}`)
    io.print(`${id} ${own.does} ${name} (${className}, ${digest})`)
    const drain = () => {
      own.drain()
      if (own.jobs.length > 0) io.note(`finishing ${own.jobs.length === 1 ? 'one job' : `${own.jobs.length} jobs`}`)
      void announcement.tell()
    }
    io.signal.addEventListener('abort', drain)
    if (io.signal.aborted) drain()
    await own.work()
  } finally {
    await announcement.leave()
    await own.close()
  }
}

/** Names of hosts may have what keys may not. */
function nodeId(): string {
  const host = hostname().replace(/[^\w-]+/g, '-')
  return `${host.slice(0, 40)}-${randomBytes(3).toString('hex')}`
}
