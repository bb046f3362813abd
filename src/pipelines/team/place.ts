import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { measuredSpeeds } from '../../parallel/crew/measured_speeds.ts'
import type { Ranks } from '../../parallel/crew/ranks.ts'
import { Fabric } from '../../parallel/fabric/fabric.ts'
import { type Links, openTransport } from '../../parallel/fabric/links.ts'
import type { Transport } from '../../parallel/fabric/transport.ts'
import { Mesh } from '../../parallel/mesh/mesh.ts'
import { Timeline } from '../../parallel/trace/timeline.ts'
import type { Device } from '../../runtime/device.ts'

/** A rank's place among others, as it is told when it starts. */
export interface Place {
  readonly rank: number
  readonly config: ParallelConfig
  readonly links: Links
  /** Note what it does when. */
  readonly trace?: boolean
}

/** A rank with its way to the others. */
export interface Placed {
  readonly ranks: Ranks
  readonly transport: Transport
}

/** Meets the other ranks. */
export async function takePlace(device: Device, { rank, config, links, trace }: Place): Promise<Placed> {
  const transport = await openTransport(device, links, rank)
  const ranks: Ranks = { mesh: new Mesh(config.degrees, rank), fabric: new Fabric(transport), config, speeds: [] }
  const speeds = await speedsOf(device, ranks)
  const timeline = trace ? new Timeline(rank) : undefined
  transport.timeline = timeline
  ranks.fabric!.timeline = timeline
  return { ranks: { ...ranks, speeds, timeline }, transport }
}

async function speedsOf(device: Device, ranks: Ranks): Promise<readonly number[]> {
  const { deviceWeights } = ranks.config
  if (deviceWeights === 'auto') return measuredSpeeds(device, ranks)
  return deviceWeights ?? Array<number>(ranks.mesh.size).fill(1)
}
