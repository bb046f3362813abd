import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { Line } from '../../server/queue/line.ts'
import type { ParsedArgs } from '../command.ts'
import { meshOf } from '../generate/mesh.ts'
import { VERSION } from '../package_info.ts'
import { meshesOf, openDrawers } from '../serve/open_drawers.ts'
import { measuredDevices } from './measured_devices.ts'
import { asMember, type NodeOptions } from './membership.ts'

/** A node that takes jobs out of the queue, and draws each on a device or a mesh of this machine. */
export async function takeJobs(args: ParsedArgs, options: NodeOptions): Promise<void> {
  const { rooms, loading: given, settings, metrics } = options
  const { io } = given
  const { Worker } = await import('../../cluster/node/worker.ts')
  const mesh = await meshOf(args, { ...given, prompts: [''], call: {} }, io)
  const meshes = meshesOf(mesh)
  const { told: devices, loading } = await measuredDevices(
    given,
    mesh.config && sizeOf(mesh.config.degrees),
    settings.flops,
  )
  const ranks = meshes.config ? sizeOf(meshes.config.degrees) : 1
  await asMember(options, { devices, meshes: meshes.count, ranks }, async ({ id, digest, changed }) => {
    const lines = (await openDrawers(loading, meshes, mesh.workers)).map(
      ({ open, drawer }) => new Line(open, drawer, 1, (line) => io.note(line)),
    )
    const { patience } = settings
    const about = { node: id, version: VERSION, digest, patience, changed, hooks: metrics }
    const worker = new Worker(rooms, { ...about, onNote: (line) => io.note(line) })
    return {
      get jobs() {
        return worker.jobs
      },
      get done() {
        return worker.done
      },
      does: 'draws',
      drain: () => worker.drain(),
      work: () => worker.work(lines),
      close: async () => void (await Promise.allSettled(lines.map((line) => line.close()))),
    }
  })
}
