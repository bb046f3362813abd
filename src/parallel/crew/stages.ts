import type { Execution } from '../../runtime/execution.ts'
import { sharesOf } from '../mesh/shares.ts'
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
