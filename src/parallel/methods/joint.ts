import type { AttendInputs } from '../../runtime/execution.ts'
import { join, narrow } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'

/** What attention over image and text gives; the text only where it asks, too. */
export interface Attended {
  readonly image: Tensor
  readonly text?: Tensor
}

/**
 * Joint attention (MMDiT): all ranks hold all of the text, and each attends with the heads that it has anyway. So text keys
 * cost no communication, and must enter the sequence exactly once, however many ranks share the image.
 */
export class JointText {
  readonly q: Tensor | undefined
  readonly k: Tensor
  readonly v: Tensor
  readonly #first: boolean

  /** @param heads [first, end) of this rank, of `dim` values each; undefined for all */
  constructor(
    g: Recorder,
    { q, k, v }: NonNullable<AttendInputs['text']>,
    textFirst: boolean,
    heads?: { readonly first: number; readonly end: number; readonly dim: number },
  ) {
    const own = (x: Tensor) => (heads ? narrow(g, x, -1, heads.first * heads.dim, heads.end * heads.dim) : x)
    this.q = q && own(q)
    this.k = own(k)
    this.v = own(v)
    this.#first = textFirst
  }

  /** The image's tensor [batch, tokens, width] with the text's before or behind it. */
  with(g: Recorder, image: Tensor, text: Tensor): Tensor {
    return join(g, this.#first ? [text, image] : [image, text], 1)
  }

  queries(g: Recorder, image: Tensor): Tensor {
    return this.q ? this.with(g, image, this.q) : image
  }

  /** Cuts apart what queries of both have become. */
  split(g: Recorder, out: Tensor): Attended {
    if (!this.q) return { image: out }
    const texts = this.q.dim(1)
    const images = out.dim(1) - texts
    const part = (first: number, tokens: number) => narrow(g, out, 1, first, first + tokens)
    return { image: part(this.#first ? texts : 0, images), text: part(this.#first ? 0 : images, texts) }
  }
}
