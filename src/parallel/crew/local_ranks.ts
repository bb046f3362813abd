import type { Device } from '../../runtime/device.ts'
import type { ParallelConfig } from '../config/parallel_config.ts'
import { Fabric } from '../fabric/fabric.ts'
import { localTransports } from '../fabric/local.ts'
import { Mesh, sizeOf } from '../mesh/mesh.ts'
import type { Ranks } from './ranks.ts'

/** A rank and the device that it works on. */
export interface LocalRank {
  readonly device: Device
  readonly ranks: Ranks
}

/** All ranks of a mesh on one device and in one thread, with an arena and weights of their own. */
export function localRanks(device: Device, config: ParallelConfig, memory?: number): LocalRank[] {
  const size = sizeOf(config.degrees)
  const devices = Array.from({ length: size }, () => device.sibling({ memory }))
  const transports = localTransports(devices)
  const speeds = Array.isArray(config.deviceWeights) ? config.deviceWeights : Array<number>(size).fill(1)
  return devices.map((own, rank) => ({
    device: own,
    ranks: { mesh: new Mesh(config.degrees, rank), fabric: new Fabric(transports[rank]), config, speeds },
  }))
}
