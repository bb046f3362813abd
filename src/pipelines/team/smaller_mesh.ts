import { ON_ONE_DEVICE, type ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { ASSUMED_MACHINE } from '../../parallel/planner/machine.ts'
import { DitError } from '../../runtime/errors.ts'
import { planMeshes } from '../mesh_plan/plan_meshes.ts'
import type { TeamOptions } from './team.ts'
import type { WorkerTeamOptions } from './worker_team.ts'

/** What decides on a mesh beside the ranks that there are. */
export interface Rest extends Pick<WorkerTeamOptions, 'tier' | 'memory' | 'variant' | 'weights'> {
  readonly model: string
  readonly prompt: string | string[]
  readonly call: TeamOptions
  readonly transformer?: string
  readonly textEncoders?: Readonly<Record<string, string>>
}

/**
 * How ranks that are left divide a request: as the planner finds best, and to the same picture where the mesh before drew
 * that of one device. There may be a rank more than it has use for.
 *
 * @param before the mesh that lost a rank
 * @param left the places in it of those that are left
 */
export async function smallerMesh(
  before: ParallelConfig,
  left: readonly number[],
  { model, prompt, call, memory, ...options }: Rest,
): Promise<ParallelConfig> {
  const exact = !before.distrifusion && before.numPipelinePatch === 1
  const { onStep: _, onResume: __, latents: ___, seed: ____, ...planned } = call
  const given = before.deviceWeights
  for (let devices = left.length; devices > 1; devices--) {
    const speeds = Array.isArray(given) ? left.slice(0, devices).map((rank) => given[rank] as number) : undefined
    const config = { ...before, attnLayerNumForPp: undefined, deviceWeights: speeds ?? given }
    const machine = { ...ASSUMED_MACHINE, memory }
    try {
      const { meshes } = await planMeshes(model, prompt, {
        ...options,
        devices,
        machine,
        speeds,
        config,
        call: planned,
      })
      const found = exact ? meshes.find((mesh) => mesh.exact) : meshes[0]
      if (found) return found.config
    } catch (error) {
      // Nothing divides it among so many.
      if (!(error instanceof DitError && error.kind === 'bad-argument')) throw error
    }
  }
  return alone(before)
}

/** One rank. */
function alone({ warmupSteps }: ParallelConfig): ParallelConfig {
  return { ...ON_ONE_DEVICE, warmupSteps }
}
