import type { ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { localRanks } from '../../src/parallel/crew/local_ranks.ts'
import type { Ranks } from '../../src/parallel/crew/ranks.ts'
import type { Device } from '../../src/runtime/device.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { testDevice } from './device.ts'

/** One of several ranks on the test device. */
export interface TestRank {
  readonly device: Device
  readonly g: Recorder
  readonly ranks: Ranks
}

/** Runs `body` on every rank of a mesh at the same time, on one device; an error of one ends all. */
export async function onMesh<T>(config: ParallelConfig, body: (rank: TestRank) => Promise<T>): Promise<T[]> {
  const all = localRanks(await testDevice(), config).map((rank) => ({ ...rank, g: new Recorder(rank.device) }))
  try {
    return await Promise.all(
      all.map(async (rank) => {
        try {
          return await body(rank)
        } catch (error) {
          rank.ranks.fabric?.fail(error)
          throw error
        }
      }),
    )
  } finally {
    for (const { g, device } of all) {
      g.reset()
      device.close()
    }
  }
}
