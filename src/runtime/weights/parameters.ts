import type { StoredLayout } from '../../wgsl/convert.ts'
import type { KernelTarget } from '../kernel.ts'
import { storedAs } from '../kernels.ts'
import { Tensor, type Use } from '../tensor.ts'

/** One weight that a network needs, by the key it has in checkpoints. */
export interface Parameter {
  /** As stored. */
  readonly shape: number[]
  /** How kernels want it: as stored, or a convolution's [out, in, y, x] as [out, y, x, in]. */
  readonly layout: StoredLayout
  /** Matrices and windows are operands of products; biases, norms and tables that are added are not. */
  readonly as: Use
}

/** The tensor that holds a parameter on a device of that tier; it has no bytes yet. */
export function deviceTensor(name: string, { shape, layout, as }: Parameter, target: KernelTarget): Tensor {
  const arranged = layout === 'window' ? [shape[0], shape[2], shape[3], shape[1]] : shape
  const tensor = new Tensor(arranged, storedAs(target, as), name)
  tensor.persistent = true
  return tensor
}

/**
 * The weights a network needs, collected by key; networks declare them beside their forward pass, so that missing
 * and unexpected ones are known before anything is loaded.
 */
export class Parameters {
  readonly all = new Map<string, Parameter>()
  readonly #prefix: string

  constructor(prefix = '', all?: Map<string, Parameter>) {
    this.#prefix = prefix
    if (all) this.all = all
  }

  /** The same collection, one level deeper. */
  at(name: string | number): Parameters {
    return new Parameters(`${this.#prefix}${name}.`, this.all)
  }

  tensor(name: string, ...shape: number[]): this {
    this.all.set(this.#prefix + name, { shape, layout: 'rows', as: 'stream' })
    return this
  }

  /** A tensor that is an operand of products as it is, or a table of embeddings. */
  matrix(name: string, ...shape: number[]): this {
    this.all.set(this.#prefix + name, { shape, layout: 'rows', as: 'operand' })
    return this
  }

  /** `name`.weight [out, in] and, unless told otherwise, `name`.bias [out]. */
  linear(name: string, out: number, input: number, bias = true): this {
    this.matrix(`${name}.weight`, out, input)
    return bias ? this.tensor(`${name}.bias`, out) : this
  }

  /** `name`.weight [out, in, window, window] and `name`.bias [out]. */
  conv(name: string, out: number, input: number, window: number): this {
    this.all.set(`${this.#prefix}${name}.weight`, {
      shape: [out, input, window, window],
      layout: 'window',
      as: 'operand',
    })
    return this.tensor(`${name}.bias`, out)
  }

  /** `name`.weight and `name`.bias [channels]. */
  norm(name: string, channels: number): this {
    return this.tensor(`${name}.weight`, channels).tensor(`${name}.bias`, channels)
  }
}
