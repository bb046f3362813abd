import { ON_ONE_DEVICE, type ParallelConfig } from '../config/parallel_config.ts'
import type { Fabric } from '../fabric/fabric.ts'
import { AXES, type Axis, type Group, Mesh } from '../mesh/mesh.ts'
import type { Timeline } from '../trace/timeline.ts'

/** One rank among those that work together: its place, its way to the others, and how they divide the work. */
export interface Ranks {
  readonly mesh: Mesh
  /** None where there is one rank; another one after a failure. */
  fabric: Fabric | undefined
  readonly config: ParallelConfig
  /** Relative speed of every rank's device. */
  readonly speeds: readonly number[]
  /** Where somebody wants to know what this rank does when. */
  timeline?: Timeline
}

/** The relative speed at each place along some axes (the first counts fastest): the mean of all ranks that are there. */
export function speedsAlong({ mesh, speeds }: Ranks, ...axes: Axis[]): number[] {
  const ordered = AXES.filter((axis) => axes.includes(axis))
  const places = ordered.reduce((product, axis) => product * mesh.degree(axis), 1)
  const sums = Array(places).fill(0)
  const counts = Array(places).fill(0)
  for (let rank = 0; rank < mesh.size; rank++) {
    const there = new Mesh(mesh.degrees, rank)
    const place = ordered.reduceRight((at, axis) => at * mesh.degree(axis) + there.at(axis), 0)
    sums[place] += speeds[rank] ?? 1
    counts[place]++
  }
  return sums.map((sum, place) => sum / counts[place])
}

/** The ranks that draw one batch of pictures together; the first of them encodes the texts. */
export const crewGroup = ({ mesh }: Ranks): Group => mesh.group('tensor', 'ulysses', 'ring', 'pipefusion', 'cfg')

/** The ranks of a crew that run the same blocks with the same slices: each may keep a share of their weights. */
export const sharingGroup = ({ mesh }: Ranks): Group => mesh.group('ulysses', 'ring', 'cfg')

/** A rank that works alone. */
export const oneRank = (config: ParallelConfig = ON_ONE_DEVICE): Ranks => ({
  mesh: new Mesh(config.degrees, 0),
  fabric: undefined,
  config,
  speeds: [1],
})
