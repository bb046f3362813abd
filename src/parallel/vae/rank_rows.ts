import { DitError } from '../../runtime/errors.ts'
import {
  type Affine,
  attention,
  conv2d,
  type GroupNormOptions,
  groupMoments,
  groupNormOf,
  join,
  type Margin,
  narrow,
  place,
} from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { RowsAttention, RowsConvOptions, RowsExecution } from '../../runtime/rows_execution.ts'
import type { Share } from '../../runtime/shares.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allGather } from '../fabric/collectives.ts'
import type { Fabric } from '../fabric/fabric.ts'
import type { Group } from '../mesh/mesh.ts'

/**
 * A picture whose rows are split over a group of ranks, as one of them computes it. Convolutions exchange rows with the
 * ranks above and below (`vae.halo`), group norms the moments of what each rank holds (`vae.norm`), and attention the keys
 * and values (`vae.attention`).
 */
export class RankRows implements RowsExecution {
  readonly #fabric: Fabric
  readonly #group: Group
  readonly #shares: readonly Share[]

  /**
   * @param group the ranks that hold rows, from the top down
   * @param shares rows of latents of each of them, none empty
   */
  constructor(fabric: Fabric, group: Group, shares: readonly Share[]) {
    this.#fabric = fabric
    this.#group = group
    this.#shares = shares
  }

  async conv2d(g: Recorder, x: Tensor, affine: Affine, options: RowsConvOptions = {}): Promise<Tensor> {
    const { norm, spent, ...rest } = options
    const reach = reachOf(affine, rest)
    const margin = this.#marginOf(reach)
    const moments = norm && (await this.#moments(g, x, norm.groups))
    const y = norm ? groupNormOf(g, x, moments!, norm, margin) : widened(g, x, margin)
    if (moments) g.release(moments)
    // Before anything is submitted: what waits for its last use then is kept until the end.
    if (spent && y !== x) g.release(x)
    await this.#fill(g, y, margin, reach)
    const out = conv2d(g, y, affine, { ...rest, margin })
    if (spent || y !== x) g.release(y)
    if (out.dim(2) !== x.dim(2)) await leaveLevel(g)
    return out
  }

  groupNorm(g: Recorder, x: Tensor, options: GroupNormOptions): Promise<Tensor> {
    return g.scope(async () => groupNormOf(g, x, await this.#moments(g, x, options.groups), options))
  }

  attend(g: Recorder, { q, k, v, ...rest }: RowsAttention): Promise<Tensor> {
    const own = this.#shares[this.#group.index]
    if (k.dim(1) !== own.end - own.first) {
      throw new DitError(
        'validation',
        `attention of ${k.dim(1)} rows, expected the ${own.end - own.first} of the latents`,
      )
    }
    const specs = this.#shares.map(({ first, end }) =>
      [k, v].map(({ shape, dtype }) => ({ shape: shape.with(1, end - first), dtype })),
    )
    return g.scope(async () => {
      const parts = await allGather(g, this.#fabric, this.#group, 'vae.attention', [k, v], specs)
      const [keys, values] = [0, 1].map((i) =>
        join(
          g,
          parts.map((part) => part[i]),
          1,
        ),
      )
      return attention(g, { q, k: keys, v: values, ...rest })
    })
  }

  /** What all ranks hold of each group, in the order of the ranks: with the same numbers, all norm alike. */
  #moments(g: Recorder, x: Tensor, groups: number): Promise<Tensor> {
    return g.scope(async () => {
      const own = groupMoments(g, x, groups)
      const specs = this.#shares.map(() => [own])
      const all = await allGather(g, this.#fabric, this.#group, 'vae.norm', [own], specs)
      return join(g, all.flat(), 0)
    })
  }

  /** At the edges of the picture a convolution pads zeros: there is no margin. */
  #marginOf({ above, below }: Margin): Margin {
    const { ranks, index } = this.#group
    return { above: index > 0 ? above : 0, below: index < ranks.length - 1 ? below : 0 }
  }

  /** Gives the ranks above and below the rows at the edges of y, and fills its margin with theirs. */
  async #fill(g: Recorder, y: Tensor, margin: Margin, reach: Margin): Promise<void> {
    const { ranks, index } = this.#group
    const [first, end] = [margin.above, y.dim(1) - margin.below]
    await g.scope(async () => {
      const fill = async (neighbour: number, at: number, rows: number) => {
        if (rows === 0) return
        const specs = [{ shape: y.shape.with(1, rows), dtype: y.dtype }]
        const [edge] = await this.#fabric.recv(g, ranks[neighbour], 'vae.halo', specs)
        place(g, y, 1, at, edge)
      }
      const give = (neighbour: number, edge: Tensor | undefined) =>
        edge && this.#fabric.send(g, ranks[neighbour], 'vae.halo', edge)
      const hasRows = (neighbour: number, rows: number) => ranks[neighbour] !== undefined && rows > 0
      const upper = hasRows(index - 1, reach.below) ? narrow(g, y, 1, first, first + reach.below) : undefined
      const lower = hasRows(index + 1, reach.above) ? narrow(g, y, 1, end - reach.above, end) : undefined
      const arrivals = [
        fill(index - 1, 0, margin.above),
        fill(index + 1, end, margin.below),
        give(index - 1, upper),
        give(index + 1, lower),
      ]
      await Promise.all(arrivals)
    })
  }
}

/** Rows beyond its own that a convolution reads, above the first and below the last. */
function reachOf(
  { weight }: Affine,
  { upsample = 1, pad = (weight.dim(1) - 1) / 2, padEnd = pad }: RowsConvOptions,
): Margin {
  return { above: Math.ceil(pad / upsample), below: Math.ceil(padEnd / upsample) }
}

/** Gives back what is free: the next level's tensors have other sizes, and would be held beside it. */
async function leaveLevel(g: Recorder): Promise<void> {
  await g.flush()
  // A device keeps what it still uses.
  await g.device.finished()
  g.device.arena.trim()
}

/** x with room for its neighbours' rows. */
function widened(g: Recorder, x: Tensor, { above, below }: Margin): Tensor {
  if (above + below === 0) return x
  const y = g.create(x.shape.with(1, above + x.dim(1) + below), x.dtype, 'rows with a margin')
  place(g, y, 1, above, x)
  return y
}
