import type { StepCache, TokenRange } from '../runtime/execution.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Agreement } from './agreement.ts'
import { PieceCache } from './piece_cache.ts'
import { ruleOf } from './rule.ts'
import type { CacheSettings } from './settings.ts'

/** The step cache of one request on one rank: made anew for each. */
export class RequestCache {
  readonly #settings: CacheSettings
  readonly #steps: number
  readonly #agree: Agreement
  #pieces = new Map<string, PieceCache>()
  readonly #spared: boolean[] = []

  /** @param steps of the request */
  constructor(settings: CacheSettings, steps: number, agree: Agreement) {
    this.#settings = settings
    this.#steps = steps
    this.#agree = agree
  }

  /** Of each pass through the network so far, whether blocks were spared: a step each, with PipeFusion a patch of a step. */
  get spared(): readonly boolean[] {
    return this.#spared
  }

  /**
   * For a piece of a step.
   *
   * @param pieces all that the picture is cut into in this step, by their tokens: what was kept of others is given back
   */
  at(g: Recorder, step: number, piece: TokenRange, pieces: readonly TokenRange[]): StepCache {
    const keys = pieces.map(keyOf)
    for (const [key, cache] of this.#pieces) {
      if (keys.includes(key)) continue
      cache.drop(g)
      this.#pieces.delete(key)
    }
    let cache = this.#pieces.get(keyOf(piece))
    if (!cache) {
      cache = new PieceCache(ruleOf(this.#settings, this.#steps), this.#agree)
      this.#pieces.set(keyOf(piece), cache)
    }
    const own = cache
    return {
      through: async (g, blocks, entering, stack) => {
        const { leaving, spared } = await own.through(g, step, blocks, entering, stack)
        if (!g.rehearsing) this.#spared.push(spared)
        return leaving
      },
    }
  }

  /** Gives back what was kept. */
  drop(g: Recorder): void {
    for (const cache of this.#pieces.values()) cache.drop(g)
    this.#pieces.clear()
  }
}

const keyOf = ({ first, end }: TokenRange): string => `${first}:${end}`
