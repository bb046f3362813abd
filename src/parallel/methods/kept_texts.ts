import { place } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'

/**
 * PipeFusion's rule for joint attention: the text that entered each block with the first patch of a step, which the later
 * ones take too. It does not depend on the number of stages.
 */
export class KeptTexts {
  readonly #texts = new Map<string, Tensor>()

  /** Keeps `text`, for its own tensor lives no longer than the pass; returns it. */
  write(g: Recorder, block: string, text: Tensor): Tensor {
    let kept = this.#texts.get(block)
    if (!kept) {
      kept = g.keep(text.shape, text.dtype, 'kept text')
      this.#texts.set(block, kept)
    }
    place(g, kept, 1, 0, text)
    return text
  }

  read(block: string): Tensor {
    return this.#texts.get(block)!
  }

  drop(g: Recorder): void {
    for (const text of this.#texts.values()) g.drop(text)
    this.#texts.clear()
  }
}
