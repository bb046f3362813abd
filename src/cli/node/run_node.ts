import { randomBytes } from 'node:crypto'
import { hostname, totalmem } from 'node:os'
import type { NodeInfo } from '../../cluster/node/node_info.ts'
import type { Rooms } from '../../cluster/rooms.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { modelFacts } from '../../pipelines/model_facts.ts'
import { Line } from '../../server/queue/line.ts'
import type { ParsedArgs } from '../command.ts'
import type { Loading } from '../generate/drawing.ts'
import { meshOf } from '../generate/mesh.ts'
import { VERSION } from '../package_info.ts'
import { meshesOf, openDrawers } from '../serve/open_drawers.ts'
import { measuredDevices } from './measured_devices.ts'
import type { NodeMetrics } from './metrics.ts'
import type { NodeSettings } from './options.ts'

interface NodeOptions {
  readonly rooms: Rooms
  readonly loading: Loading
  /** What requests call the model. */
  readonly name: string
  readonly settings: NodeSettings
  readonly metrics: NodeMetrics
}

/** Joins, and draws until the signal fires and what is in hand is done. */
export async function runNode(args: ParsedArgs, { rooms, loading: given, name, settings, metrics }: NodeOptions) {
  const { io, source } = given
  const { Announcement, SKEW } = await import('../../cluster/node/announcement.ts')
  const { Worker } = await import('../../cluster/node/worker.ts')
  const { measureLink } = await import('../../cluster/node/link.ts')
  const { modelDigest } = await import('../../cluster/model/digest.ts')
  const { cardOf, leaveCard } = await import('../../cluster/model/card.ts')
  const facts = await modelFacts(source)
  io.status('reading the weights’ digest')
  const digest = await modelDigest(given)
  const mesh = await meshOf(args, { ...given, prompts: [''], call: {} }, io)
  const meshes = meshesOf(mesh)
  const { told: devices, loading } = await measuredDevices(given, mesh, settings.flops)
  const id = nodeId()
  const worker = new Worker(rooms, {
    node: id,
    version: VERSION,
    digest,
    patience: settings.patience,
    changed: () => void announcement.tell(),
    hooks: metrics,
    onNote: (line) => io.note(line),
  })
  const link = await measureLink(rooms.nc)
  const tell = (): Omit<NodeInfo, 'skew'> => ({
    id,
    host: hostname(),
    pid: process.pid,
    version: VERSION,
    model: { name, digest },
    devices: devices.names,
    meshes: meshes.count,
    ranks: meshes.config ? sizeOf(meshes.config.degrees) : 1,
    memory: { device: loading.choice.memory, host: totalmem() },
    flops: devices.flops,
    link,
    state: io.signal.aborted ? 'draining' : worker.jobs.length > 0 ? 'drawing' : 'idle',
    jobs: worker.jobs,
    done: worker.done,
  })
  const announcement = new Announcement(rooms, tell)
  // Before the model is loaded, which may take minutes: one that may not join need not.
  await announcement.check()
  const lines = (await openDrawers(loading, meshes, mesh.workers)).map(
    ({ open, drawer }) => new Line(open, drawer, 1, (line) => io.note(line)),
  )
  try {
    await leaveCard(rooms, await cardOf(source, { name, digest, weights: loading.weights, loras: loading.loras }))
    const skew = await announcement.join()
    if (Math.abs(skew) > SKEW) {
      const what = `${(Math.abs(skew) / 1000).toFixed(0)} s ${skew > 0 ? 'ahead of' : 'behind'} the server's`
      io.note(`warning: this machine's clock is ${what}: certificates may be refused, and logs mislead`)
    }
    io.status('')
    if (metrics.address !== undefined) io.note(`metrics: ${metrics.address}`)
    io.print(`${id} draws ${name} (${facts.className}, ${digest})`)
    const drain = () => {
      worker.drain()
      if (worker.jobs.length > 0)
        io.note(`finishing ${worker.jobs.length === 1 ? 'one job' : `${worker.jobs.length} jobs`}`)
      void announcement.tell()
    }
    io.signal.addEventListener('abort', drain)
    if (io.signal.aborted) drain()
    await worker.work(lines)
  } finally {
    await announcement.leave()
    await Promise.allSettled(lines.map((line) => line.close()))
  }
}

/** Names of hosts may have what keys may not. */
const nodeId = (): string =>
  `${hostname()
    .replace(/[^\w-]+/g, '-')
    .slice(0, 40)}-${randomBytes(3).toString('hex')}`
