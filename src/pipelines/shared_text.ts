import { crewGroup, type Ranks } from '../parallel/crew/ranks.ts'
import { broadcast } from '../parallel/fabric/collectives.ts'
import type { TensorSpec } from '../parallel/fabric/transport.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** Whether this rank runs the text encoders: one of a crew does, or all with a share of the weights each. */
export const encodesText = (ranks: Ranks): boolean => ranks.config.shardT5Encoder || crewGroup(ranks).index === 0

/** What encoders make of texts, on every rank of a crew: encoded once, and told to the others. */
export async function sharedText(
  g: Recorder,
  ranks: Ranks,
  { specs, encode }: { readonly specs: readonly TensorSpec[]; encode(g: Recorder): Promise<Tensor[]> },
): Promise<Tensor[]> {
  const group = crewGroup(ranks)
  if (!ranks.fabric || ranks.config.shardT5Encoder) return encode(g)
  const given = group.index === 0 ? await encode(g) : specs
  return broadcast(g, ranks.fabric, group, 0, 'text', given as Tensor[] | TensorSpec[])
}
