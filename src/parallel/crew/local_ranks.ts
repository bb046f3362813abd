import type { Device } from '../../runtime/device.ts'
import type { ParallelConfig } from '../config/parallel_config.ts'
import { Fabric } from '../fabric/fabric.ts'
import { localTransports } from '../fabric/local.ts'
import type { Transport } from '../fabric/transport.ts'
import { Mesh, sizeOf } from '../mesh/mesh.ts'
import { Timeline } from '../trace/timeline.ts'
import { crewGroup, type Ranks } from './ranks.ts'

/** A rank and the device that it works on. */
export interface LocalRank {
  readonly device: Device
  readonly ranks: Ranks
}

/** All ranks of a mesh on one device and in one thread, with an arena and weights of their own. */
export class LocalMesh {
  readonly ranks: readonly LocalRank[]
  #transports: Transport[]

  /** @param memory bytes that each rank may take */
  constructor(device: Device, config: ParallelConfig, memory?: number) {
    const size = sizeOf(config.degrees)
    const devices = Array.from({ length: size }, () => device.sibling({ memory }))
    this.#transports = localTransports(devices)
    const speeds = Array.isArray(config.deviceWeights) ? config.deviceWeights : Array<number>(size).fill(1)
    this.ranks = devices.map((own, rank) => ({
      device: own,
      ranks: { mesh: new Mesh(config.degrees, rank), fabric: new Fabric(this.#transports[rank]), config, speeds },
    }))
  }

  /** Ranks that draw one batch of pictures together. */
  get crewSize(): number {
    return crewGroup(this.ranks[0].ranks).ranks.length
  }

  /** Notes from here on what each rank does when. */
  trace(): void {
    for (const { ranks } of this.ranks) {
      ranks.timeline = new Timeline(ranks.mesh.rank)
      if (ranks.fabric) ranks.fabric.timeline = ranks.timeline
    }
  }

  /** Ends what the ranks wait for, with that error. */
  fail(error: unknown): void {
    this.#transports[0].fail(error)
  }

  /** Forgets what is on its way, after a failure. */
  renew(): void {
    for (const transport of this.#transports) void transport.close()
    this.#transports = localTransports(this.ranks.map(({ device }) => device))
    for (const [rank, { ranks }] of this.ranks.entries()) ranks.fabric = new Fabric(this.#transports[rank])
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()))
    for (const { device } of this.ranks) device.close()
  }
}
