import { noteNotFinite } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { notANumber } from './decode_latents.ts'

/** Watches latents for values that are no finite numbers, with a word on the device that is read when somebody asks. */
export class FiniteWatch {
  /** The word. */
  readonly noted: Tensor
  readonly #steps: number

  constructor(g: Recorder, steps: number) {
    this.#steps = steps
    this.noted = g.keep([1], 'u32', 'first step that is not finite')
    if (!g.rehearsing) g.device.write(this.noted.placement!, new Uint8Array(4))
  }

  /** Latents after a step, counted from 0. */
  look(g: Recorder, latents: Tensor, step: number): void {
    // The earliest step has the greatest mark, and 0 is none.
    noteNotFinite(g, latents, this.noted, this.#steps - step)
  }

  /**
   * @param noted the word as it was read
   * @throws DitError 'corrupt' naming the first step that was not finite, of those that have run
   */
  check(noted: ArrayBuffer): void {
    const [mark] = new Uint32Array(noted)
    if (mark === 0) return
    throw notANumber(`the latents came out as not-a-number in step ${this.#steps - mark + 1} of ${this.#steps}`)
  }

  drop(g: Recorder): void {
    g.drop(this.noted)
  }
}
