import type { Execution } from '../../runtime/execution.ts'
import { sharesOf } from '../../runtime/shares.ts'
import type { WeightShare } from '../../runtime/weights/share.ts'
import { Mesh } from '../mesh/mesh.ts'
import { gatheringOf } from '../methods/gathering.ts'
import { crewGroup, type Ranks, sharingGroup, speedsAlong } from './ranks.ts'

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
  gathering: ranks.config.shardDit ? gatheringOf(ranks, sharingGroup(ranks), 'weights') : undefined,
})

/** The weights of a text encoder that this rank loads: it runs all of it, from shares of its blocks. */
export const encoderShareOf = (ranks: Ranks): WeightShare => ({
  gathering: ranks.config.shardT5Encoder ? gatheringOf(ranks, crewGroup(ranks), 'text.weights') : undefined,
})

/** The rank that speaks for a crew: it has the final latents and hears of every step. */
export function leaderOf({ mesh }: Ranks): number {
  const first = mesh.group('tensor', 'ulysses', 'ring', 'cfg').ranks[0]
  return new Mesh(mesh.degrees, first).neighbour('pipefusion', mesh.degree('pipefusion') - 1)
}

/** Whether this rank is that one. */
export const leads = (ranks: Ranks): boolean => leaderOf(ranks) === ranks.mesh.rank
