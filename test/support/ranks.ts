import type { ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { LocalMesh } from '../../src/parallel/crew/local_ranks.ts'
import type { Ranks } from '../../src/parallel/crew/ranks.ts'
import { Fabric } from '../../src/parallel/fabric/fabric.ts'
import { localTransports } from '../../src/parallel/fabric/local.ts'
import type { Device } from '../../src/runtime/device.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { testDevice } from './device.ts'

/** One of several ranks on the test device. */
export interface TestRank {
  readonly device: Device
  readonly g: Recorder
  readonly ranks: Ranks
}

/** Runs `body` on every rank of a mesh at the same time, on one device (the test device); an error of one ends all. */
export async function onMesh<T>(
  config: ParallelConfig,
  body: (rank: TestRank) => Promise<T>,
  device?: Device,
): Promise<T[]> {
  const mesh = new LocalMesh(device ?? (await testDevice()), config)
  const all = mesh.ranks.map((rank) => ({ ...rank, g: new Recorder(rank.device) }))
  return together(all, body, (rank, error) => rank.ranks.fabric?.fail(error))
}

/** One of several ranks that know each other, and no mesh. */
export interface FabricRank {
  readonly device: Device
  readonly g: Recorder
  readonly fabric: Fabric
  readonly index: number
}

/** Runs `body` on `count` ranks at the same time, on one device; an error of one ends all. Returns what each returned. */
export async function onRanks<T>(count: number, body: (rank: FabricRank) => Promise<T>): Promise<T[]> {
  const device = await testDevice()
  const devices = Array.from({ length: count }, () => device.sibling())
  const transports = localTransports(devices)
  const all = devices.map((own, index) => ({
    device: own,
    g: new Recorder(own),
    fabric: new Fabric(transports[index]),
    index,
  }))
  try {
    return await together(all, body, (rank, error) => rank.fabric.fail(error))
  } finally {
    for (const transport of transports) await transport.close()
  }
}

/** Waits for all, also where one has failed, and throws the error that came first. */
async function together<R extends { g: Recorder; device: Device }, T>(
  all: readonly R[],
  body: (rank: R) => Promise<T>,
  fail: (rank: R, error: unknown) => void,
): Promise<T[]> {
  const errors: unknown[] = []
  const results = await Promise.all(
    all.map(async (rank) => {
      try {
        return await body(rank)
      } catch (error) {
        errors.push(error)
        fail(rank, error)
        return undefined as T
      }
    }),
  )
  for (const { g, device } of all) {
    await g.flush().catch(() => {})
    g.reset()
    device.close()
  }
  if (errors.length > 0) throw errors[0]
  return results
}
