import { evenShares, type Share, sharesOf } from '../../runtime/shares.ts'
import type { ParallelConfig } from '../config/parallel_config.ts'
import { dealt } from '../crew/dealt.ts'
import { type Piece, piecesOf } from '../crew/pieces.ts'
import { type Ranks, speedsAlong } from '../crew/ranks.ts'
import { blocksOf } from '../crew/stages.ts'
import { Mesh } from '../mesh/mesh.ts'
import { type Work, workOf } from './work.ts'
import type { Workload } from './workload.ts'

/** A piece of the picture that goes through the network in so many steps. */
export interface Pass {
  /** Tokens of each rank of the sequence group (ulysses fastest, then ring). */
  readonly tokens: readonly number[]
  readonly times: number
  /** The first or only one of a step, with which the text goes from stage to stage. */
  readonly first: boolean
}

/** What one rank has of a workload. */
export interface Part extends Ranks {
  /** Pictures of its crew, of all that are drawn. */
  readonly dealt: Share
  /** Its pictures, once for each of its branches. */
  readonly batch: number
  /** Blocks [first, end) of its stage, and what they do together. */
  readonly stage: Share
  readonly work: Required<Work>
  /** Whether they are the last ones. */
  readonly tail: boolean
  /** Attention heads of its slice of the weights. */
  readonly heads: number
  /** Those heads, divided among its Ulysses group. */
  readonly ulyssesHeads: readonly number[]
  /** Its place in the sequence group. */
  readonly at: number
  readonly passes: readonly Pass[]
  /** Steps whose keys and values are exchanged before they are attended to. */
  readonly warmup: number
  /** Keys and values are kept from step to step: pieces of one picture go through the network by themselves. */
  readonly keeps: boolean
}

/** The part of each rank. @throws DitError 'bad-argument' where there is less to do than ranks to do it */
export function partsOf(config: ParallelConfig, workload: Workload, speeds: readonly number[]): Part[] {
  return speeds.map((_, rank) =>
    partOf({ mesh: new Mesh(config.degrees, rank), fabric: undefined, config, speeds }, workload),
  )
}

/** How many numbers [first, end) are. */
export const lengthOf = ({ first, end }: Share): number => end - first

function partOf(ranks: Ranks, { blocks, heads, grid, pictures, guided, steps }: Workload): Part {
  const { mesh, config } = ranks
  const warmup = Math.min(config.warmupSteps, steps)
  const patches = config.distrifusion ? piecesOf(grid, 1) : piecesOf(grid, config.numPipelinePatch)
  const speeds = speedsAlong(ranks, 'ulysses', 'ring')
  const pass =
    (times: number) =>
    ({ index, tokens }: Piece) => ({
      tokens: sharesOf(lengthOf(tokens), speeds, 'tokens').map(lengthOf),
      times,
      first: index === 0,
    })
  const stage = blocksOf(ranks, blocks.length)
  const ownHeads = lengthOf(sharesOf(heads, speedsAlong(ranks, 'tensor'), 'attention heads')[mesh.at('tensor')])
  const exchanging = config.distrifusion ? 1 : mesh.degree('ulysses')
  const own = dealt(ranks, pictures)
  return {
    ...ranks,
    dealt: own,
    batch: lengthOf(own) * (guided && mesh.degree('cfg') === 1 ? 2 : 1),
    stage,
    work: workOf(blocks.slice(stage.first, stage.end)),
    tail: stage.tail,
    heads: ownHeads,
    ulyssesHeads: evenShares(ownHeads, exchanging, 'attention heads').map(lengthOf),
    at: mesh.group('ulysses', 'ring').index,
    passes: [...piecesOf(grid, 1).map(pass(warmup)), ...patches.map(pass(steps - warmup))].filter(
      ({ times }) => times > 0,
    ),
    warmup,
    keeps: patches.length > 1 && warmup < steps,
  }
}
