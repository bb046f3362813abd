import { allGather, reduce } from '../../src/parallel/fabric/collectives.ts'
import { type Execution, onOneDevice, type TokenRange } from '../../src/runtime/execution.ts'
import { join } from '../../src/runtime/ops/index.ts'
import type { FabricRank } from './ranks.ts'

const everybody = ({ index }: FabricRank, count: number) => ({
  ranks: Array.from({ length: count }, (_, rank) => rank),
  index,
})

/** A rank that holds the heads and neurons of one of `count`. */
export function dividedByHeads(rank: FabricRank, count: number, blocks: number, tokens: number): Execution {
  return {
    ...onOneDevice(blocks, tokens),
    reduce: (g, x) => reduce(g, rank.fabric, everybody(rank, count), 'sum', x),
    once: (x) => (rank.index === 0 ? x : undefined),
  }
}

/** A rank that holds one range of the image's tokens, and all of the text. */
export function dividedByTokens(rank: FabricRank, blocks: number, ranges: readonly TokenRange[]): Execution {
  const alone = onOneDevice(blocks, ranges[ranges.length - 1].end)
  return {
    ...alone,
    tokens: ranges[rank.index],
    attend: async (g, site, inputs) => {
      const { k, v } = inputs
      const specs = ranges.map(({ first, end }) => {
        const spec = { shape: k.shape.with(1, end - first), dtype: k.dtype }
        return [spec, spec]
      })
      const parts = await allGather(g, rank.fabric, everybody(rank, ranges.length), site, [k, v], specs)
      const [allK, allV] = [0, 1].map((part) =>
        join(
          g,
          parts.map((tensors) => tensors[part]),
          1,
        ),
      )
      return alone.attend(g, site, { ...inputs, k: allK, v: allV })
    },
  }
}
