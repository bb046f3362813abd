import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import type { Affine } from '../ops/linear.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'
import type { BlockWeights } from './block_weights.ts'
import { freeWeightBuffer } from './weight_buffer.ts'

/** A network's weights on one device, by checkpoint key, seen from a place in the tree of keys. */
export class Weights {
  readonly #device: Device
  readonly #tensors: ReadonlyMap<string, Tensor>
  readonly #prefix: string
  readonly #blocks: BlockWeights | undefined

  /** @param blocks those whose tensors are there while they run */
  constructor(device: Device, tensors: ReadonlyMap<string, Tensor>, prefix = '', blocks?: BlockWeights) {
    this.#device = device
    this.#tensors = tensors
    this.#prefix = prefix
    this.#blocks = blocks
  }

  /** The same weights, one level deeper: `at('transformer_blocks').at(3)`. */
  at(name: string | number): Weights {
    return new Weights(this.#device, this.#tensors, `${this.#prefix}${name}.`, this.#blocks)
  }

  tensor(name: string): Tensor {
    const found = this.#tensors.get(this.#prefix + name)
    if (!found) throw new DitError('validation', `no weight ${this.#prefix}${name} was loaded`)
    return found
  }

  /** `name`.weight, with `name`.bias where there is one. */
  affine(name: string): Affine {
    return { weight: this.tensor(`${name}.weight`), bias: this.#tensors.get(`${this.#prefix}${name}.bias`) }
  }

  /** `name`.weight and `name`.bias of a norm that has both. */
  norm(name: string): { weight: Tensor; bias: Tensor } {
    return { weight: this.tensor(`${name}.weight`), bias: this.tensor(`${name}.bias`) }
  }

  /** Runs `body` on these weights of a block; where ranks share them, or the host keeps them, they are there for that long. */
  using<T>(g: Recorder, body: (weights: Weights) => Promise<T>): Promise<T> {
    if (!this.#blocks) return body(this)
    return this.#blocks.using(g, this.#prefix, (tensors) => body(new Weights(this.#device, tensors, this.#prefix)))
  }

  /** Bytes that they take on the device where they are loaded. */
  get bytes(): number {
    const own = [...this.#tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0)
    return own + (this.#blocks?.bytes ?? 0)
  }

  /** Bytes that stay on the host once they were loaded. */
  get hostBytes(): number {
    return this.#blocks?.hostBytes ?? 0
  }

  /** Destroys the buffers. */
  free(): void {
    for (const tensor of this.#tensors.values()) {
      if (!tensor.placement) continue
      freeWeightBuffer(this.#device, tensor.placement)
      tensor.placement = undefined
    }
    this.#blocks?.free()
  }
  /** Gives up what stays on the host, too. */
  dispose(): void {
    this.free()
    this.#blocks?.dispose()
  }
}
