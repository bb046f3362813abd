import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { ON_ONE_DEVICE } from '../../parallel/config/parallel_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import type { Machine } from '../../parallel/planner/machine.ts'
import { type PlannedMesh, planMesh, planOneDevice, rankMeshes } from '../../parallel/planner/rank_meshes.ts'
import type { Tier } from '../../runtime/kernel.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { type PlanOptions, planMemory } from '../memory_plan/plan.ts'
import { openModel } from '../open_model.ts'
import { plannedRequest } from './workload.ts'

export interface MeshPlanOptions extends Omit<PlanOptions, 'memory'> {
  /** Ranks. */
  devices: number
  /** What they can do, measured or assumed. Its `memory` bounds each of them. */
  machine: Machine
  /** What is decided already. One whose degrees multiply to `devices` is the only one that is planned. */
  config?: ParallelConfig
  /** Relative speeds of the devices. Default: all alike. */
  speeds?: readonly number[]
}

/** Meshes and what is predicted of them, best first. */
export interface MeshPlan {
  /** The class that model_index.json names. */
  readonly pipeline: string
  readonly tier: string
  readonly pictures: number
  readonly steps: number
  /** Pixels that are drawn. */
  readonly height: number
  readonly width: number
  readonly devices: number
  readonly machine: Machine
  readonly meshes: readonly PlannedMesh[]
  readonly oneDevice: PlannedMesh
}

/**
 * Ranks all ways to divide a request among so many devices, by the time and the memory that they are predicted to take.
 * Of the model its JSON files and headers are read; no device is opened.
 *
 * @param prompt undefined plans for one of the greatest length
 * @throws DitError as planMemory, and 'bad-argument' where nothing divides the request among so many
 */
export async function planMeshes(
  model: string | Source,
  prompt: string | string[] | undefined,
  { devices, machine, config = ON_ONE_DEVICE, speeds, ...options }: MeshPlanOptions,
): Promise<MeshPlan> {
  const source = typeof model === 'string' ? await openModel(model, { signal: options.call?.signal }) : model
  try {
    const call = options.call ?? {}
    const alone = await planMemory(source, prompt, options)
    const tier = alone.tier as Tier
    const target = { tier, software: alone.software, quads: true }
    const request = await plannedRequest(
      source,
      Array.isArray(prompt) ? prompt.length : 1,
      call,
      target,
      alone,
      options.weights,
    )
    const inputs = { ...request, machine, speeds }
    const given = sizeOf(config.degrees) > 1 && sizeOf(config.degrees) === devices
    const { workload, height, width } = request
    return {
      pipeline: alone.pipeline,
      tier,
      pictures: workload.pictures,
      steps: workload.steps,
      height,
      width,
      devices,
      machine,
      meshes: given ? [planMesh(config, inputs)] : rankMeshes(devices, config, inputs),
      oneDevice: planOneDevice(inputs),
    }
  } finally {
    if (typeof model === 'string') await source.close()
  }
}
