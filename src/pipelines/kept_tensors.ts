import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** Tensors that somebody may still want to read when those who made them are through with them. */
export class KeptTensors {
  readonly #g: Recorder
  /** How many keep a tensor. */
  readonly #keepers = new Map<Tensor, number>()
  /** Those that nobody else needs any more. */
  readonly #left = new Set<Tensor>()

  constructor(g: Recorder) {
    this.#g = g
  }

  /** Keeps them until the function that it returns is called. */
  keep(tensors: readonly Tensor[]): () => void {
    for (const tensor of tensors) this.#keepers.set(tensor, (this.#keepers.get(tensor) ?? 0) + 1)
    return () => {
      for (const tensor of tensors) this.#drop(tensor)
    }
  }

  isKept(tensor: Tensor): boolean {
    return this.#keepers.has(tensor)
  }

  /** Gives a tensor back, or leaves that to who keeps it. */
  release(tensor: Tensor): void {
    if (this.#keepers.has(tensor)) this.#left.add(tensor)
    else this.#g.release(tensor)
  }

  #drop(tensor: Tensor): void {
    const others = this.#keepers.get(tensor)! - 1
    if (others > 0) {
      this.#keepers.set(tensor, others)
      return
    }
    this.#keepers.delete(tensor)
    if (this.#left.delete(tensor)) this.#g.release(tensor)
  }
}
