import type { StoredLayout } from '../../wgsl/convert.ts'
import type { WeightFormat } from '../../wgsl/quantized/format.ts'
import type { KernelTarget } from '../kernel.ts'
import { storedAs } from '../kernels.ts'
import { Tensor, type Use } from '../tensor.ts'

/** One weight that a network needs, by the key it has in checkpoints. */
export interface Parameter {
  /** As stored. */
  readonly shape: number[]
  /** How kernels want it: as stored, or a convolution's [out, in, y, x] as [out, y, x, in]. */
  readonly layout: StoredLayout
  /** The weight of a linear layer, whose rows may be kept in few bits. */
  readonly linear?: true
  /** The few bits that it is kept in. Default: a float of the tier's. */
  readonly format?: WeightFormat
  /** Matrices and windows are operands of products; biases, norms and tables that are added are not. */
  readonly as: Use
  /** The dimension that may be divided among ranks, and the runs that it consists of, each of which is divided. */
  readonly cut?: { readonly axis: 0 | 1; readonly runs: readonly CutRun[] }
  /** Of ranks that divide a sum, one alone adds it. */
  readonly once?: boolean
  /** The block it belongs to, the embedding before them, or the output behind; every stage needs the others. */
  readonly at?: number | 'head' | 'tail'
}

/** So many rows or columns of a weight, which may be divided in so many equal units: heads, or neurons of a feed-forward. */
export interface CutRun {
  readonly size: number
  readonly units: number
}

/**
 * How a linear layer may be divided among ranks: by its outputs, or by its inputs, whose partial results are summed. In so
 * many equal units; where its input is two things side by side (FLUX's attention and feed-forward), each in its own.
 */
export interface LinearCut {
  readonly out?: number
  readonly input?: number | readonly [CutRun, CutRun]
}

/** The tensor that holds a parameter on a device of that tier; it has no bytes yet. */
export function deviceTensor(name: string, { shape, layout, as, format }: Parameter, target: KernelTarget): Tensor {
  const arranged = layout === 'window' ? [shape[0], shape[2], shape[3], shape[1]] : shape
  const tensor = new Tensor(arranged, storedAs(target, as), name, format)
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
  readonly #place: Parameter['at']

  constructor(prefix = '', all?: Map<string, Parameter>, place?: Parameter['at']) {
    this.#prefix = prefix
    if (all) this.all = all
    this.#place = place
  }

  /** The same collection, one level deeper. */
  at(name: string | number): Parameters {
    return new Parameters(`${this.#prefix}${name}.`, this.all, this.#place)
  }

  /** The same collection, for what belongs to that block, to the embedding or to the output. */
  of(place: NonNullable<Parameter['at']>): Parameters {
    return new Parameters(this.#prefix, this.all, place)
  }

  tensor(name: string, ...shape: number[]): this {
    return this.#add(name, { shape, layout: 'rows', as: 'stream' })
  }

  /** A tensor that is an operand of products as it is, or a table of embeddings. */
  matrix(name: string, ...shape: number[]): this {
    return this.#add(name, { shape, layout: 'rows', as: 'operand' })
  }

  /** `name`.weight [out, in] and, unless told otherwise, `name`.bias [out]. */
  linear(name: string, out: number, input: number, bias = true, cut: LinearCut = {}): this {
    const runsOf = (size: number, units: LinearCut['input']) => (typeof units === 'number' ? [{ size, units }] : units!)
    const axis0 = cut.out ? { cut: { axis: 0, runs: runsOf(out, cut.out) } as const } : {}
    const axis1 = cut.input ? { cut: { axis: 1, runs: runsOf(input, cut.input) } as const } : {}
    this.#add(`${name}.weight`, {
      shape: [out, input],
      layout: 'rows',
      as: 'operand',
      linear: true,
      ...axis0,
      ...axis1,
    })
    if (!bias) return this
    return this.#add(`${name}.bias`, {
      shape: [out],
      layout: 'rows',
      as: 'stream',
      ...axis0,
      ...(cut.input && { once: true }),
    })
  }

  /** `name`.weight [out, in, window, window] and `name`.bias [out]. */
  conv(name: string, out: number, input: number, window: number): this {
    this.#add(`${name}.weight`, { shape: [out, input, window, window], layout: 'window', as: 'operand' })
    return this.tensor(`${name}.bias`, out)
  }

  /** `name`.weight and `name`.bias [channels]. */
  norm(name: string, channels: number): this {
    return this.tensor(`${name}.weight`, channels).tensor(`${name}.bias`, channels)
  }

  #add(name: string, parameter: Parameter): this {
    const place = this.#place === undefined ? {} : { at: this.#place }
    this.all.set(this.#prefix + name, { ...parameter, ...place })
    return this
  }
}
