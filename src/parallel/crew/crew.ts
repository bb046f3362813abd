import { DitError } from '../../runtime/errors.ts'
import type { Execution } from '../../runtime/execution.ts'
import { guide, join, narrow } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { type Share, sharesOf } from '../../runtime/shares.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allGather, reduce } from '../fabric/collectives.ts'
import type { Group } from '../mesh/mesh.ts'
import { attendFresh, attendKept, attendStale, type Sequence } from '../methods/attend.ts'
import { KeptKeys } from '../methods/kept_keys.ts'
import { KeptTexts } from '../methods/kept_texts.ts'
import { noted } from '../trace/timeline.ts'
import { agreed } from './agreement.ts'
import { Border } from './border.ts'
import { type Grid, type Piece, piecesOf } from './pieces.ts'
import { type Ranks, speedsAlong } from './ranks.ts'
import { blocksOf, leads } from './stages.ts'

/** What dividing a request among ranks takes to know of it. */
export interface RequestFacts {
  /** Blocks of the transformer. */
  readonly blocks: number
  readonly grid: Grid
  /** Denoising steps. */
  readonly steps: number
  /** The first of them that is run, counted from 0: warming up begins there. Default 0. */
  readonly first?: number
  /** Whether there is a branch without the prompt. */
  readonly guided: boolean
}

/** The ranks that draw one batch of pictures together, as one of them sees its part: made anew for each request. */
export class Crew {
  /** Blocks of this rank's stage. */
  readonly blocks: Execution['blocks']
  /** Branches of this rank: 0 is the one without the prompt, 1 the one with it. */
  readonly branches: Share
  /** Activations and latents between the stages. */
  readonly border: Border
  readonly #ranks: Ranks
  readonly #facts: RequestFacts
  readonly #sequence: Group
  readonly #warmup: number
  /** The picture as one piece. */
  readonly whole: Piece
  readonly #patches: Piece[]
  readonly #kept: KeptKeys
  /** Of the first patch, for the others. */
  readonly #texts = new KeptTexts()

  /** @throws DitError 'bad-argument' where there is less to do than ranks to do it */
  constructor(ranks: Ranks, facts: RequestFacts) {
    const { mesh, config } = ranks
    this.#ranks = ranks
    this.#facts = facts
    this.blocks = blocksOf(ranks, facts.blocks)
    this.branches = branchesOf(ranks, facts.guided)
    this.#sequence = mesh.group('ulysses', 'ring')
    this.#warmup = Math.min((facts.first ?? 0) + config.warmupSteps, facts.steps)
    this.whole = piecesOf(facts.grid, 1)[0]
    this.#patches = config.distrifusion ? [this.whole] : piecesOf(facts.grid, config.numPipelinePatch)
    this.#kept = new KeptKeys(facts.grid.rows * facts.grid.columns)
    this.border = new Border(ranks)
    for (const piece of [this.whole, ...this.#patches]) this.#tokensOf(piece)
  }

  /** Whether this rank speaks for its crew. */
  get leads(): boolean {
    return leads(this.#ranks)
  }

  get stages(): number {
    return this.#ranks.mesh.degree('pipefusion')
  }

  /** The pieces of a step, in the order in which they go through the network. */
  pieces(step: number): readonly Piece[] {
    return step < this.#warmup ? [this.whole] : this.#patches
  }

  /** The steps that differ in their pieces: what a rehearsal goes through. */
  get kindsOfSteps(): number[] {
    const { first = 0, steps } = this.#facts
    const patched = this.#warmup < steps ? this.#warmup : first
    return first < steps ? [...new Set([first, patched])] : []
  }

  /** Tokens of a piece that this rank has. */
  tokens(piece: Piece): Share {
    return this.#tokensOf(piece)[this.#sequence.index]
  }

  /** How this rank carries out a piece of a step. */
  execution(step: number, piece: Piece): Execution {
    const { mesh, fabric, config } = this.#ranks
    const tokens = this.#tokensOf(piece)
    const sequence: Sequence = {
      fabric,
      ulysses: mesh.group('ulysses'),
      ring: mesh.group('ring'),
      all: this.#sequence,
      tokens,
    }
    const tensor = mesh.group('tensor')
    const stale = this.#patches.length > 1 && this.#warmup < this.#facts.steps
    const distri = {
      fresh: step < this.#warmup,
      receives: step > this.#warmup,
      sends: step >= this.#warmup && step + 1 < this.#facts.steps,
    }
    const patched = !config.distrifusion && step >= this.#warmup && this.#patches.length > 1
    return {
      blocks: this.blocks,
      tokens: tokens[this.#sequence.index],
      enter: (g, block, text) => {
        if (!patched) return text!
        return piece.index === 0 ? this.#texts.write(g, block, text!) : this.#texts.read(block)
      },
      attend: (g, site, inputs) =>
        config.distrifusion
          ? attendStale(g, sequence, this.#kept, site, inputs, distri)
          : stale
            ? attendKept(g, sequence, this.#kept, site, inputs)
            : attendFresh(g, sequence, inputs),
      reduce: async (g, x) => (fabric ? reduce(g, fabric, tensor, 'tensor.sum', x) : x),
      once: (x) => (tensor.index === 0 ? x : undefined),
    }
  }

  /**
   * The guided prediction of a piece, the same on all ranks of the last stage.
   *
   * @param patches of this rank's branches and tokens, [pictures · branches, tokens, values]
   * @param alsoPrompted whether the prediction of the branch with the prompt is wanted too, where there are two
   * @returns [pictures, tokens of the piece, values] each
   */
  async predicted(
    g: Recorder,
    piece: Piece,
    patches: Tensor,
    guidance: number,
    alsoPrompted = false,
  ): Promise<{ guided: Tensor; prompted?: Tensor }> {
    const { mesh, fabric } = this.#ranks
    let x = patches
    if (fabric && mesh.degree('cfg') > 1) {
      const specs = Array(2).fill([{ shape: x.shape, dtype: x.dtype }])
      const branches = await allGather(g, fabric, mesh.group('cfg'), 'cfg.noise', [x], specs)
      x = join(
        g,
        branches.map(([branch]) => branch),
        0,
      )
    }
    const pictures = this.#facts.guided ? x.dim(0) / 2 : x.dim(0)
    const both = alsoPrompted && this.#facts.guided
    if (both) x = join(g, [guide(g, x, guidance), narrow(g, x, 0, pictures, 2 * pictures)], 0)
    else if (this.#facts.guided) x = guide(g, x, guidance)
    const whole = await this.#gathered(g, piece, x)
    if (!both) return { guided: whole }
    return { guided: narrow(g, whole, 0, 0, pictures), prompted: narrow(g, whole, 0, pictures, 2 * pictures) }
  }

  /** One decision of all ranks, from what each of the first stage has measured: see `agreed`. */
  agreed(g: Recorder, measured: Tensor | undefined, decide: (rows: Float32Array) => boolean): Promise<boolean> {
    return agreed(g, this.#ranks, measured, decide)
  }

  /** Values of this rank's tokens → those of all tokens of the piece. */
  async #gathered(g: Recorder, piece: Piece, x: Tensor): Promise<Tensor> {
    const { fabric } = this.#ranks
    if (!fabric || this.#sequence.ranks.length === 1) return x
    const specs = this.#tokensOf(piece).map(({ first, end }) => [
      { shape: x.shape.with(1, end - first), dtype: x.dtype },
    ])
    const parts = await allGather(g, fabric, this.#sequence, 'sp.noise', [x], specs)
    return join(
      g,
      parts.map(([part]) => part),
      1,
    )
  }

  /** Runs `body`, a piece of a step; where somebody wants to know how long it takes, until the device has done it. */
  computing<T>(g: Recorder, step: number, piece: Piece, body: () => Promise<T>): Promise<T> {
    const { timeline } = this.#ranks
    if (!timeline || g.rehearsing) return body()
    const patch = this.pieces(step).length > 1 ? piece.index : undefined
    return noted(
      timeline,
      'compute',
      patch === undefined ? 'whole picture' : `patch ${patch}`,
      async () => {
        const result = await body()
        await g.flush()
        await g.device.finished()
        return result
      },
      { step, patch },
    )
  }

  /** Gives back what was kept for this request. */
  end(g: Recorder): void {
    this.#kept.drop(g)
    this.#texts.drop(g)
    this.border.drop(g)
  }

  /** Tokens of each rank of the sequence group. */
  #tokensOf({ tokens: { first, end } }: Piece): Share[] {
    const speeds = speedsAlong(this.#ranks, 'ulysses', 'ring')
    return sharesOf(end - first, speeds, 'tokens').map((share) => ({
      first: first + share.first,
      end: first + share.end,
    }))
  }
}

function branchesOf({ mesh }: Ranks, guided: boolean): Share {
  if (!guided && mesh.degree('cfg') > 1) {
    throw new DitError(
      'bad-argument',
      'use_cfg_parallel: this request has one branch, since nothing guides it away from a negative prompt',
      'Leave it out, or raise the guidance scale; models of distilled guidance need true_cfg_scale and a negative prompt.',
    )
  }
  if (!guided) return { first: 1, end: 2 }
  if (mesh.degree('cfg') === 1) return { first: 0, end: 2 }
  return { first: mesh.at('cfg'), end: mesh.at('cfg') + 1 }
}
