import type { ParallelConfig } from '../config/parallel_config.ts'
import { bytesSent } from '../cost/bytes.ts'
import { type Part, type Pass, partsOf } from '../cost/part.ts'
import { pipefusionBytes } from '../cost/pipefusion.ts'
import { total, type Workload } from '../cost/workload.ts'
import { sizeOf } from '../mesh/mesh.ts'
import { type Machine, short, sum, type Term } from './machine.ts'
import { passTime } from './pass_time.ts'

/** How long a mesh is predicted to take. */
export interface Latency {
  /** Seconds of a denoising step behind the warm-up. */
  readonly step: number
  /** Seconds of all steps, of all pictures; without texts and autoencoder. */
  readonly denoising: number
  /** Bytes of a step, of the rank that sends most. */
  readonly bytes: number
  /** What a step is made of, on the rank that takes longest. */
  readonly terms: readonly Term[]
}

/** A stage of PipeFusion: its slowest rank in whole-picture passes, and in those of each patch. */
interface Stage {
  readonly warm: number
  readonly patches: readonly number[]
  readonly terms: readonly Term[]
}

/**
 * Predicts a mesh: of the slowest crew, the slowest rank of each stage. With stages of t seconds a step and M patches, a
 * step takes as long as the slowest stage, or as a patch takes round all stages (its next step waits for that).
 *
 * @throws DitError 'bad-argument' where there is less to do than ranks to do it
 */
export function latencyOf(
  config: ParallelConfig,
  workload: Workload,
  machine: Machine,
  speeds: readonly number[] = Array<number>(sizeOf(config.degrees)).fill(1),
): Latency {
  const parts = partsOf(config, workload, speeds)
  const size = parts.length / config.degrees.data
  const crews = Array.from({ length: config.degrees.data }, (_, crew) =>
    crewLatency(parts.slice(crew * size, (crew + 1) * size), workload, machine),
  )
  const slowest = crews.reduce((a, b) => (b.denoising > a.denoising ? b : a))
  const sent = bytesSent(config, workload, speeds).map((tags) =>
    total([...tags].filter(([tag]) => !/^(text|vae)/.test(tag)).map(([, bytes]) => bytes)),
  )
  return { ...slowest, bytes: Math.max(...sent) / workload.steps }
}

function crewLatency(parts: readonly Part[], workload: Workload, machine: Machine): Omit<Latency, 'bytes'> {
  const { steps } = workload
  const [{ mesh, warmup }] = parts
  const count = mesh.degree('pipefusion')
  const stages = Array.from({ length: count }, (_, stage) =>
    stageOf(
      parts.filter((part) => part.mesh.at('pipefusion') === stage),
      workload,
      machine,
    ),
  )
  const patches = stages[0].patches.length
  const busiest = stages.reduce((a, b) => (total(b.patches) > total(a.patches) ? b : a))
  const borders = count === 1 ? 0 : borderTime(parts, workload, machine)
  const once = total(stages.map((stage) => total(stage.patches))) / patches + borders
  const step = Math.max(total(busiest.patches), once)
  const warm = total(stages.map((stage) => stage.warm)) + (warmup > 0 ? borders * patches : 0)
  const fill = once - step / patches
  const denoising = warmup * warm + (steps - warmup) * step + (steps > warmup && count > 1 ? Math.max(0, fill) : 0)
  const waiting = count > 1 ? pipeline(count, patches, total(busiest.patches), once, borders) : []
  return { step: steps > warmup ? step : warm, denoising, terms: [...busiest.terms, ...waiting] }
}

function stageOf(ranks: readonly Part[], workload: Workload, machine: Machine): Stage {
  const times = (part: Part, passes: readonly Pass[]) => passes.map((pass) => passTime(part, pass, workload, machine))
  const slowest = (passes: (part: Part) => readonly Pass[]) => {
    const all = ranks.map((part) => times(part, passes(part)))
    return all.reduce((a, b) => (total(b.map(sum)) > total(a.map(sum)) ? b : a))
  }
  const patches = slowest(patchesOf)
  const names = [...new Set(patches.flat().map(({ what }) => what))]
  return {
    warm: total(slowest(({ passes, warmup }) => (warmup > 0 ? passes.slice(0, 1) : [])).map(sum)),
    patches: patches.map(sum),
    terms: names.map((name) => {
      const same = patches.flat().filter(({ what }) => what === name)
      const formula = same.length > 1 ? `${same.length} patches, each about ${same[0].formula}` : same[0].formula
      return { what: name, value: sum(same), formula }
    }),
  }
}

/** Passes of a step behind the warm-up; where all steps are warm-up, of one of those. */
const patchesOf = ({ passes, warmup }: Part): readonly Pass[] =>
  warmup > 0 && passes.length > 1 ? passes.slice(1) : passes

/** Seconds that a patch is between stages, once round: the mean, for the first one may have text with it. */
function borderTime(parts: readonly Part[], workload: Workload, machine: Machine): number {
  const longest = (part: Part): number => {
    const passes = patchesOf(part).map((pass) => ({ ...pass, times: 1 }))
    const bytes = pipefusionBytes({ ...part, passes }, workload)
    return (bytes['stage.activations'] ?? 0) / passes.length / machine.bandwidth + machine.latency
  }
  const stages = new Map<number, number>()
  for (const part of parts) {
    const stage = part.mesh.at('pipefusion')
    stages.set(stage, Math.max(stages.get(stage) ?? 0, longest(part)))
  }
  return total([...stages.values()])
}

const pipeline = (stages: number, patches: number, busiest: number, once: number, borders: number): Term[] => [
  {
    what: 'waiting in the pipeline',
    value: Math.max(0, once - busiest),
    formula: `max(${short(busiest)} s of the slowest stage, ${short(once)} s of one patch of ${patches} round ${stages} stages with ${short(borders)} s between them) - ${short(busiest)} s`,
  },
]
