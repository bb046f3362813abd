import { DitError } from '../../runtime/errors.ts'
import { checkAgainstModel, checkParallelConfig, type DividedFacts } from '../config/check.ts'
import type { ParallelConfig } from '../config/parallel_config.ts'
import type { Degrees } from '../mesh/mesh.ts'

/** What bounds the meshes that are worth looking at. */
export interface CandidateFacts extends DividedFacts {
  readonly pictures: number
  readonly steps: number
}

/**
 * All meshes of so many ranks that can divide a request: every product of the axes, and for PipeFusion as many patches as
 * stages and twice as many. What else the base says (shared weights, the autoencoder) holds for all, where it can.
 */
export function candidates(ranks: number, base: ParallelConfig, facts: CandidateFacts): ParallelConfig[] {
  return degreesOf(ranks, facts).flatMap((degrees) => {
    const stages = degrees.pipefusion
    const patches = stages === 1 ? [1] : [stages, 2 * stages].filter((count) => count <= facts.rows)
    return patches.map((numPipelinePatch) => adapted({ ...base, degrees, numPipelinePatch })).filter(isPossible(facts))
  })
}

function degreesOf(
  ranks: number,
  { pictures, guidanceScale, guided, blocks, heads, steps }: CandidateFacts,
): Degrees[] {
  const found: Degrees[] = []
  const divisors = (n: number) => Array.from({ length: n }, (_, k) => k + 1).filter((k) => n % k === 0)
  for (const data of divisors(ranks).filter((d) => d <= pictures)) {
    for (const cfg of divisors(ranks / data).filter((d) => d === 1 || (d === 2 && guided && guidanceScale > 1))) {
      const left = ranks / data / cfg
      // A picture of one step is whole: nothing would go through the stages side by side.
      for (const pipefusion of divisors(left).filter((d) => d === 1 || (d <= blocks && steps > 1))) {
        for (const ring of divisors(left / pipefusion)) {
          for (const ulysses of divisors(left / pipefusion / ring)) {
            const tensor = left / pipefusion / ring / ulysses
            if (ulysses * tensor <= heads) found.push({ data, cfg, pipefusion, ring, ulysses, tensor })
          }
        }
      }
    }
  }
  return found
}

/** Without what this mesh has no use for. */
function adapted(config: ParallelConfig): ParallelConfig {
  const { degrees } = config
  const crew = degrees.cfg * degrees.pipefusion * degrees.ring * degrees.ulysses * degrees.tensor
  return {
    ...config,
    attnLayerNumForPp: undefined,
    vaeParallelSize: Math.min(config.vaeParallelSize, crew),
    shardDit: config.shardDit && degrees.ulysses * degrees.ring * degrees.cfg > 1,
    shardT5Encoder: config.shardT5Encoder && crew > 1,
  }
}

const isPossible =
  (facts: CandidateFacts) =>
  (config: ParallelConfig): boolean => {
    try {
      checkParallelConfig(config)
      checkAgainstModel(config, facts)
      return true
    } catch (error) {
      if (error instanceof DitError) return false
      throw error
    }
  }
