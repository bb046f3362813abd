import { DitError } from '../../runtime/errors.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../config/parallel_config.ts'
import type { Workload } from '../cost/workload.ts'
import { sizeOf } from '../mesh/mesh.ts'
import { type CandidateFacts, candidates } from './candidates.ts'
import { type Latency, latencyOf } from './latency.ts'
import type { Machine, Term } from './machine.ts'
import { type MemorySizes, memoryOf } from './memory.ts'

/** A mesh and what is predicted of it. */
export interface PlannedMesh extends Latency {
  readonly config: ParallelConfig
  /** Whether the picture is the one of a single device, but for rounding. */
  readonly exact: boolean
  /** Bytes of the device of the rank that needs most, and what they are. */
  readonly memory: { readonly bytes: number; readonly terms: readonly Term[] }
  readonly fits: boolean
}

export interface PlanInputs {
  readonly facts: CandidateFacts
  readonly workload: Workload
  readonly machine: Machine
  readonly sizes: MemorySizes
  /** Relative speed of every rank's device. Default: all alike. */
  readonly speeds?: readonly number[]
}

/**
 * The meshes of so many ranks, best first: those that fit before those that do not, then by the time that is predicted;
 * of equally fast ones those that need less memory.
 *
 * @param base what the caller has decided but for degrees and patches
 * @throws DitError 'bad-argument' where no mesh of that many ranks can divide the request
 */
export function rankMeshes(ranks: number, base: ParallelConfig, inputs: PlanInputs): PlannedMesh[] {
  const found = candidates(ranks, base, inputs.facts)
  if (found.length === 0) {
    const { blocks, heads, rows, columns } = inputs.facts
    throw new DitError(
      'bad-argument',
      `${ranks} devices: nothing divides a picture of ${rows} x ${columns} tokens, ${heads} heads and ${blocks} blocks among so many`,
      'Use fewer devices, more pictures or a larger picture.',
    )
  }
  return found
    .map((config) => planMesh(config, inputs))
    .sort((a, b) => Number(b.fits) - Number(a.fits) || a.denoising - b.denoising || a.memory.bytes - b.memory.bytes)
}

/** What is predicted of one mesh. */
export function planMesh(config: ParallelConfig, { workload, machine, sizes, speeds }: PlanInputs): PlannedMesh {
  const own = speeds ?? Array<number>(sizeOf(config.degrees)).fill(1)
  const memory = memoryOf(config, workload, sizes, own)
  const allWarm = config.warmupSteps >= workload.steps
  return {
    config,
    ...latencyOf(config, workload, machine, own),
    exact: allWarm || !(config.distrifusion || config.numPipelinePatch > 1),
    memory,
    fits: memory.bytes <= (machine.memory ?? Number.POSITIVE_INFINITY),
  }
}

/** The same request on one device. */
export const planOneDevice = (inputs: PlanInputs): PlannedMesh => planMesh(ON_ONE_DEVICE, { ...inputs, speeds: [1] })
