import type { Execution } from '../../runtime/execution.ts'
import { sharesOf } from '../../runtime/shares.ts'
import type { WeightShare } from '../../runtime/weights/share.ts'
import { type Ranks, speedsAlong } from './ranks.ts'

/** The blocks of this rank's stage: as --attn_layer_num_for_pp says, or by the speed of the stages. */
export function blocksOf(ranks: Ranks, blocks: number): Execution['blocks'] {
  const { mesh, config } = ranks
  const stages = mesh.degree('pipefusion')
  const stage = mesh.at('pipefusion')
  const counts =
    config.attnLayerNumForPp ??
    sharesOf(blocks, speedsAlong(ranks, 'pipefusion'), 'transformer blocks').map(({ first, end }) => end - first)
  const first = counts.slice(0, stage).reduce((a, b) => a + b, 0)
  return { first, end: first + counts[stage], head: stage === 0, tail: stage === stages - 1 }
}

/** The weights of a transformer of so many blocks that this rank loads. */
export const weightShareOf = (ranks: Ranks, blocks: number): WeightShare => ({
  blocks: blocksOf(ranks, blocks),
  tensor: { index: ranks.mesh.at('tensor'), speeds: speedsAlong(ranks, 'tensor') },
})

/** Whether this rank is the one that speaks for its crew: it has the final latents and hears of every step. */
export const leads = ({ mesh }: Ranks): boolean =>
  mesh.at('pipefusion') === mesh.degree('pipefusion') - 1 &&
  (['tensor', 'ulysses', 'ring', 'cfg'] as const).every((axis) => mesh.at(axis) === 0)
