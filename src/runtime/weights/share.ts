import type { Execution } from '../execution.ts'
import type { KernelTarget } from '../kernel.ts'
import type { Recorder } from '../recorder.ts'
import { type Share, sharesOf } from '../shares.ts'
import type { Tensor } from '../tensor.ts'
import { deviceTensor, type Parameter } from './parameters.ts'

/** The part of a network's weights that one rank loads. */
export interface WeightShare {
  /** The blocks that it runs. Default: all. */
  readonly blocks?: Execution['blocks']
  /** Which of the tensor-parallel ranks it is, of how fast ones. Default: the only one. */
  readonly tensor?: { readonly index: number; readonly speeds: readonly number[] }
  /** It keeps a part of every block's bytes, as others do. Default: the whole blocks. */
  readonly gathering?: Gathering
}

/** Ranks that keep a share each of every block's weights, as one of them sees them: src/parallel answers. */
export interface Gathering {
  readonly index: number
  readonly size: number
  /**
   * Sends this rank's share to the others, and fills theirs into `whole`.
   *
   * @param shares bytes of `whole` that each rank keeps
   */
  gather(g: Recorder, own: Tensor | undefined, whole: Tensor, shares: readonly Share[]): Promise<void>
  /** Waits for what was gathered. */
  waiting<T>(gathered: Promise<T>): Promise<T>
}

/** What is loaded of one parameter: rows of one range, or columns of one or two, which come to lie side by side. */
export interface Slice {
  readonly axis: 0 | 1
  readonly ranges: readonly Share[]
}

/** Whether the rank needs a parameter at all. */
export function needed({ at, once }: Parameter, { blocks, tensor }: WeightShare): boolean {
  if (once && tensor && tensor.index > 0) return false
  if (!blocks || at === undefined) return true
  if (at === 'head') return blocks.head
  if (at === 'tail') return blocks.tail
  return at >= blocks.first && at < blocks.end
}

/** The rank's slice of a parameter; undefined where it takes the whole. */
export function sliceOf({ cut }: Parameter, { tensor }: WeightShare): Slice | undefined {
  if (!cut || !tensor || tensor.speeds.length === 1) return undefined
  let begin = 0
  const ranges = cut.runs.map(({ size, units }) => {
    const { first, end } = sharesOf(units, tensor.speeds, 'pieces of a weight')[tensor.index]
    const from = begin
    begin += size
    return { first: from + (first * size) / units, end: from + (end * size) / units }
  })
  return { axis: cut.axis, ranges }
}

/** Its shape then. */
export const slicedShape = (shape: readonly number[], slice: Slice | undefined): number[] =>
  slice
    ? shape.with(
        slice.axis,
        slice.ranges.reduce((sum, { first, end }) => sum + end - first, 0),
      )
    : [...shape]

/**
 * The tensor that holds that slice of a parameter; it has no bytes yet. A slice that goes through groups of few bits has
 * floats instead, of what the numbers of the groups stand for: it is the same weight, however many ranks divide it.
 */
export function slicedTensor(
  name: string,
  parameter: Parameter,
  slice: Slice | undefined,
  target: KernelTarget,
): Tensor {
  const { format } = parameter
  const whole =
    slice?.axis !== 1 ||
    slice.ranges.every(({ first, end }) => [first, end].every((at) => at % (format?.group ?? 1) === 0))
  const shape = slicedShape(parameter.shape, slice)
  return deviceTensor(name, { ...parameter, shape, format: whole ? format : undefined }, target)
}
