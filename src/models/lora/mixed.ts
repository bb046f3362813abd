import { type LowRank, type LowRanks, stacked } from '../../runtime/weights/low_rank.ts'
import type { FittedLora } from './fit.ts'

/** A LoRA as far as it is a network's, and how strong it is to be. */
export interface WeightedLora {
  readonly fitted: FittedLora
  readonly weight: number
}

/** What several LoRAs add together, each as strong as its weight says. */
export function mixed(loras: readonly WeightedLora[]): LowRanks {
  const names = new Set(loras.flatMap(({ fitted }) => [...fitted.keys()]))
  return new Map([...names].map((name) => [name, () => sumFor(name, loras)]))
}

async function sumFor(name: string, loras: readonly WeightedLora[]): Promise<LowRank> {
  const parts: LowRank[] = []
  for (const { fitted, weight } of loras) {
    const part = await fitted.get(name)?.()
    if (part) parts.push({ ...part, up: part.up.map((value) => value * weight) })
  }
  return stacked(parts)
}
