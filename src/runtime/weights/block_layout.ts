import { numberBytes, scaleBytes, type WeightFormat } from '../../wgsl/quantized/format.ts'
import type { KernelTarget } from '../kernel.ts'
import type { Share } from '../shares.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../tensor.ts'
import type { Values } from './fill.ts'
import type { Parameter } from './parameters.ts'
import { slicedTensor, sliceOf, type WeightShare } from './share.ts'

/** Where bindings may begin, on every device: WebGPU's greatest minStorageBufferOffsetAlignment. */
const ALIGN = 256

/** The weights of one block, one after the other in one buffer. */
export interface BlockLayout {
  /** What all its keys begin with. */
  readonly prefix: string
  readonly bytes: number
  readonly weights: readonly BlockWeight[]
}

/** One weight of a block: its tensor, without a place yet, and where in the block that begins. */
export interface BlockWeight extends Values {
  readonly tensor: Tensor
  readonly offset: number
}

/** What a rank keeps of one: those bytes of the tensor, which the elements are in or are for. */
export interface KeptWeight extends BlockWeight {
  readonly bytes: Share
  readonly elements: Share
}

/** The blocks among parameters, in the order in which they run. */
export function blockLayouts(
  wanted: readonly [string, Parameter][],
  share: WeightShare,
  target: KernelTarget,
): BlockLayout[] {
  const numbers = new Set(wanted.map(([, { at }]) => at).filter((at) => typeof at === 'number'))
  return [...numbers]
    .sort((a, b) => a - b)
    .map((block) =>
      layoutOf(
        wanted.filter(([, { at }]) => at === block),
        share,
        target,
      ),
    )
}

function layoutOf(parameters: readonly [string, Parameter][], share: WeightShare, target: KernelTarget): BlockLayout {
  let bytes = 0
  const weights = parameters.map(([name, parameter]) => {
    const slice = sliceOf(parameter, share)
    const tensor = slicedTensor(name, parameter, slice, target)
    const offset = bytes
    bytes += Math.ceil(tensor.bytes / ALIGN) * ALIGN
    return { name, parameter, slice, tensor, offset }
  })
  return { prefix: commonPrefix(parameters.map(([name]) => name)), bytes, weights }
}

/** Up to the last dot that all names have in common. */
function commonPrefix([first, ...others]: readonly string[]): string {
  let length = first.length
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length--
  return first.slice(0, first.lastIndexOf('.', length - 1) + 1)
}

/** Blocks whose weights are whole at a time: the one that runs, and the one that comes next. */
const SLOTS = 2

/** The slot in which the block at that place among others is whole. */
export const slotOf = (at: number): number => at % SLOTS

/** Bytes of the slots that blocks take turns in. */
export const slotBytes = (layouts: readonly BlockLayout[]): number[] =>
  Array.from({ length: Math.min(SLOTS, layouts.length) }, (_, slot) =>
    Math.max(...layouts.filter((__, at) => slotOf(at) === slot).map(({ bytes }) => bytes)),
  )

/** The bytes of a block that each of so many ranks keeps: as many each, but for the last ones. */
export function byteShares(bytes: number, ranks: number): Share[] {
  const size = Math.ceil(bytes / ALIGN / ranks) * ALIGN
  return Array.from({ length: ranks }, (_, k) => ({
    first: Math.min(k * size, bytes),
    end: Math.min((k + 1) * size, bytes),
  }))
}

/** The values of a block's weights that lie in a range of its bytes, and how far behind its beginning each begins. */
export function valuesIn({ weights }: BlockLayout, { first, end }: Share): KeptWeight[] {
  return weights.flatMap((weight) => {
    const { tensor, offset } = weight
    const from = Math.max(offset, first)
    const to = Math.min(offset + tensor.bytes, end)
    if (from >= to) return []
    const bytes = { first: from - offset, end: to - offset }
    if (tensor.packed) {
      return [{ ...weight, elements: packedValues(tensor.packed, tensor.size, bytes), bytes, offset: from - first }]
    }
    const size = BYTES_PER_ELEMENT[tensor.dtype]
    const elements = { first: (from - offset) / size, end: Math.min((to - offset) / size, tensor.size) }
    return [{ ...weight, elements, bytes, offset: from - first }]
  })
}

/** The values, in whole groups, that these bytes of a weight of few bits are made of: as numbers, as scales, or as both. */
function packedValues(format: WeightFormat, size: number, { first, end }: Share): Share {
  const scales = numberBytes(format, size)
  const ofGroup = scaleBytes(format)
  const groups = [
    ...(first < scales ? rangeOf(first, Math.min(end, scales), numberBytes(format, format.group)) : []),
    ...(end > scales ? rangeOf(Math.max(first, scales) - scales, end - scales, ofGroup) : []),
  ]
  // Two scales may share a word.
  const from = Math.floor(Math.min(...groups) / 2) * 2 * format.group
  return { first: Math.min(from, size), end: Math.min(Math.max(...groups) * format.group, size) }
}

/** The first thing of so many bytes that is in a range, and the one behind the last. */
const rangeOf = (first: number, end: number, size: number): [number, number] => [
  Math.floor(first / size),
  Math.ceil(end / size),
]
