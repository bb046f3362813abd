import { type MeasuredMachine, measureMachine } from '../../pipelines/mesh_plan/measure_machine.ts'
import { measuredShapes } from '../../pipelines/mesh_plan/measured_shapes.ts'
import { rankCards } from '../../pipelines/team/rank_cards.ts'
import type { ParsedArgs } from '../command.ts'
import { VERSION } from '../package_info.ts'
import { deviceNames } from './measured_devices.ts'
import { asMember, type NodeOptions } from './membership.ts'
import { serverAccess } from './nats_options.ts'

/** A node that lends ranks to meshes over several machines, and loads its parts of a model when it is asked to. */
export async function lendRanks(args: ParsedArgs, count: number, options: NodeOptions): Promise<void> {
  const { rooms, loading, settings } = options
  const { io, source, model, choice } = loading
  const { RankLender } = await import('../../cluster/mesh/rank_lender.ts')
  const access = await serverAccess(args)
  const { adapter, backend, tier, memory } = choice
  const platform = { adapter, backend }
  const cards = await rankCards(count, platform, (line) => io.note(line))
  let machine: MeasuredMachine | undefined
  if (settings.flops === undefined)
    machine = await measureMachine(count, await measuredShapes(source, {}), { tier, platform })
  const link = machine && count > 1 ? { bandwidth: machine.bandwidth, latency: machine.latency } : undefined
  const devices = { names: await deviceNames(backend), flops: settings.flops ?? machine!.linear }
  const { variant, transformer, textEncoders, offload, weights, loras, imageToImage } = loading
  const lends = { ranks: count, ...(link && { link }) }
  await asMember(options, { devices, meshes: 0, ranks: count, lends }, async ({ id, digest, changed }) => {
    const lender = new RankLender(rooms, {
      ...{ node: id, version: VERSION, digest, model, cards, access, changed },
      loading: { variant, transformer, textEncoders, offload, weights, loras, imageToImage, memory, tier },
      onNote: (line) => io.note(line),
    })
    let drained = () => {}
    const draining = new Promise<void>((resolve) => {
      drained = resolve
    })
    return {
      get jobs() {
        return lender.jobs
      },
      get done() {
        return lender.done
      },
      does: `lends ${count === 1 ? 'a rank' : `${count} ranks`} for`,
      drain: () => drained(),
      work: () => draining,
      close: () => lender.close(),
    }
  })
}
