import type { AttentionSite, TokenRange } from '../../runtime/execution.ts'
import { narrow, place } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'

/** Keys and values of a whole picture at one site. */
interface Kept {
  readonly k: Tensor
  readonly v: Tensor
  /** Where each part that was written begins and ends. */
  readonly parts: Map<number, number>
  /** Tokens [0, filled) hold something. */
  filled: number
}

/**
 * Keys and values that a request keeps from step to step, for every attention site that this rank runs: parts are
 * written over as they come, and queries attend to all, be it of this step or of the one before.
 */
export class KeptKeys {
  readonly #tokens: number
  readonly #sites = new Map<AttentionSite, Kept>()

  /** @param tokens of the whole picture */
  constructor(tokens: number) {
    this.#tokens = tokens
  }

  has(site: AttentionSite): boolean {
    return this.#sites.has(site)
  }

  /** Writes k and v [batch, tokens of the range, width] to their place. */
  write(g: Recorder, site: AttentionSite, { first, end }: TokenRange, k: Tensor, v: Tensor): void {
    let kept = this.#sites.get(site)
    if (!kept) {
      const shape = [k.dim(0), this.#tokens, k.dim(-1)]
      kept = {
        k: g.keep(shape, k.dtype, 'kept keys'),
        v: g.keep(shape, v.dtype, 'kept values'),
        parts: new Map(),
        filled: 0,
      }
      this.#sites.set(site, kept)
    }
    place(g, kept.k, 1, first, k)
    place(g, kept.v, 1, first, v)
    kept.parts.set(first, end)
    let filled = 0
    while (kept.parts.has(filled)) filled = kept.parts.get(filled)!
    kept.filled = Math.max(kept.filled, filled)
  }

  /** What is there: of the whole picture, or of its beginning before the first step is through. */
  read(g: Recorder, site: AttentionSite): { k: Tensor; v: Tensor } {
    const { k, v, filled } = this.#sites.get(site)!
    if (filled === this.#tokens) return { k, v }
    return { k: narrow(g, k, 1, 0, filled), v: narrow(g, v, 1, 0, filled) }
  }

  drop(g: Recorder): void {
    for (const { k, v } of this.#sites.values()) for (const tensor of [k, v]) g.drop(tensor)
    this.#sites.clear()
  }
}
