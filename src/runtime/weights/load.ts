import { numberBytes, scaleBytes } from '../../wgsl/quantized/format.ts'
import { throwIfAborted } from '../abort.ts'
import type { Device } from '../device.ts'
import type { Share } from '../shares.ts'
import { Tensor } from '../tensor.ts'
import { blockLayouts, type KeptWeight, valuesIn } from './block_layout.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, fill, type Values } from './fill.ts'
import { matchNames } from './match_names.ts'
import { deviceTensor, type Parameters } from './parameters.ts'
import { ShardedBlocks } from './sharded_blocks.ts'
import { needed, slicedTensor, sliceOf, type WeightShare } from './share.ts'
import { freeWeightBuffer, weightBuffer } from './weight_buffer.ts'
import { Weights } from './weights.ts'

/** Bytes read at once unless told otherwise. The host holds two such chunks at most, whatever the model's size. */
const CHUNK = 16 * 2 ** 20

export interface LoadOptions {
  /** The part of the weights that one rank of several loads. Default: all. */
  share?: WeightShare
  /** Stored tensors that are known and not needed (the encoder of a decoder-only use). */
  ignore?: RegExp[]
  onProgress?: (loadedBytes: number, totalBytes: number) => void
  signal?: AbortSignal
  /** Bytes read at once, a multiple of 4. Default 16 MiB. */
  chunkBytes?: number
}

/** What is read of one stored tensor, and to where. */
interface Reading extends Values {
  into(chunk: Uint8Array): Promise<void>
  /** Whether it was read, and is there. */
  loaded(): boolean
}

/** Weights that have no bytes yet, or no longer: which they are, and how large, is known. */
export interface PreparedWeights {
  readonly weights: Weights
  /** Reads them from the checkpoint; after `weights.free()` it may be called again. */
  load(options?: Pick<LoadOptions, 'onProgress' | 'signal' | 'chunkBytes'>): Promise<void>
  /**
   * Reads those of these names anew that are loaded: what is added to them has changed. Where it fails, they are neither the
   * old ones nor the new.
   */
  reload(names: ReadonlySet<string>, options?: Pick<LoadOptions, 'onProgress' | 'signal' | 'chunkBytes'>): Promise<void>
}

/**
 * Loads `parameters` from a checkpoint: bytes go from the file through mapped device memory, and a kernel converts and
 * lays them out. Names and shapes are checked both ways before the first byte is read.
 */
export async function loadWeights(
  device: Device,
  checkpoint: Checkpoint,
  parameters: Parameters,
  options: LoadOptions = {},
): Promise<Weights> {
  const { weights, load } = prepareWeights(device, checkpoint, parameters, options)
  await load(options)
  return weights
}

/** Checks names and shapes of what is to be loaded, and reads nothing. */
export function prepareWeights(
  device: Device,
  checkpoint: Checkpoint,
  parameters: Parameters,
  { share = {}, ignore }: Pick<LoadOptions, 'share' | 'ignore'>,
): PreparedWeights {
  matchNames(new Map([...parameters.all].map(([name, p]) => [name, p.shape])), checkpoint, { ignore })
  const { gathering } = share
  const wanted = [...parameters.all].filter(([, parameter]) => needed(parameter, share))
  const tensors = new Map<string, Tensor>()
  const blocks = gathering && new ShardedBlocks(device, gathering, blockLayouts(wanted, share, device.target))
  const weights = new Weights(device, tensors, '', blocks)
  const readings: Reading[] = wanted
    .filter(([, { at }]) => !blocks || typeof at !== 'number')
    .map(([name, parameter]) => {
      const slice = sliceOf(parameter, share)
      const tensor = slicedTensor(name, parameter, slice, device.target)
      tensors.set(name, tensor)
      const values = { name, parameter, slice }
      const into = async (chunk: Uint8Array) => {
        if (tensor.placement) clear(device, tensor)
        tensor.placement ??= await weightBuffer(device, tensor.bytes, `weight ${name}`)
        await fill(device, checkpoint, tensor, values, chunk)
      }
      return { ...values, into, loaded: () => tensor.placement !== undefined }
    })
  for (const { layout, shares, own } of blocks?.blocks ?? []) {
    for (const weight of valuesIn(layout, shares[gathering!.index])) {
      const into = (chunk: Uint8Array) => fillShare(device, checkpoint, weight, own!, chunk)
      readings.push({ ...weight, into, loaded: () => own?.placement !== undefined })
    }
  }
  const load: PreparedWeights['load'] = (options = {}) =>
    device.during(async () => {
      try {
        await blocks?.allocate()
        await readAll(device, checkpoint, readings, options)
      } catch (error) {
        weights.free()
        throw error
      }
    })
  const reload: PreparedWeights['reload'] = async (names, options = {}) => {
    const changed = readings.filter(({ name, loaded }) => names.has(name) && loaded())
    if (changed.length > 0) await device.during(() => readAll(device, checkpoint, changed, options))
  }
  return { weights, load, reload }
}

/** Scales of few bits are written into words of zeros. */
function clear(device: Device, { packed, placement, bytes }: Tensor): void {
  if (!packed) return
  const encoder = device.gpu.createCommandEncoder()
  encoder.clearBuffer(placement!.buffer, placement!.offset, bytes)
  device.gpu.queue.submit([encoder.finish()])
}

async function readAll(
  device: Device,
  checkpoint: Checkpoint,
  readings: readonly Reading[],
  { chunkBytes, onProgress, signal }: LoadOptions,
): Promise<void> {
  const sizes = readings.map(({ name, slice, elements }) => {
    const { tensor } = checkpoint.entry(name)
    const { first, end } = bytesOf(tensor, slice, elements)
    return Math.round((end - first) * (tensor.inFile ?? 1))
  })
  const total = sizes.reduce((a, b) => a + b, 0)
  const greatest = Math.max(4, ...readings.map(({ name }) => checkpoint.entry(name).tensor.bytes))
  const chunk = new Uint8Array(Math.min(greatest, chunkBytes ?? CHUNK))
  let loaded = 0
  for (const [i, { into }] of readings.entries()) {
    await into(chunk)
    throwIfAborted(signal)
    loaded += sizes[i]
    onProgress?.(loaded, total)
  }
  await device.finished()
}

/** Reads the values of a block's weight that this rank keeps into its share of the block. */
async function fillShare(
  device: Device,
  checkpoint: Checkpoint,
  weight: KeptWeight,
  own: Tensor,
  chunk: Uint8Array,
): Promise<void> {
  const { name, parameter, slice, tensor, elements, bytes: kept, offset } = weight
  const { buffer, bytes } = own.placement!
  const together = slice?.axis !== 1 && parameter.layout === 'rows'
  const flat = { ...parameter, shape: [elements.end - elements.first], layout: 'rows' as const, format: tensor.packed }
  if (together && !tensor.packed) {
    const part = deviceTensor(name, flat, device.target)
    part.placement = { buffer, bytes, offset }
    return fill(device, checkpoint, part, weight, chunk)
  }
  // Numbers and scales are apart, or its values are not together in the file: what has them passes through.
  const passing = together ? deviceTensor(name, flat, device.target) : unplacedCopy(tensor)
  const first = together ? elements.first : 0
  passing.placement = await weightBuffer(device, passing.bytes, `weight ${name}`)
  try {
    await fill(device, checkpoint, passing, together ? weight : { name, parameter, slice }, chunk)
    await device.checked(() => {
      const encoder = device.gpu.createCommandEncoder()
      for (const { from, to, length } of copiesOf(tensor, kept, passing, first)) {
        encoder.copyBufferToBuffer(passing.placement!.buffer, from, buffer, offset + to, length)
      }
      device.gpu.queue.submit([encoder.finish()])
    })
  } finally {
    freeWeightBuffer(device, passing.placement)
  }
}

/**
 * Where bytes of a tensor are in a part of it that begins with value `first`: numbers and scales each in one place.
 *
 * @returns `to` from the first of the bytes on
 */
function copiesOf(tensor: Tensor, bytes: Share, part: Tensor, first: number) {
  const { packed } = tensor
  const sections = packed
    ? [
        { begin: 0, end: numberBytes(packed, tensor.size), skipped: numberBytes(packed, first), at: 0 },
        {
          begin: numberBytes(packed, tensor.size),
          end: tensor.bytes,
          skipped: (first / packed.group) * scaleBytes(packed),
          at: numberBytes(packed, part.size),
        },
      ]
    : [{ begin: 0, end: tensor.bytes, skipped: 0, at: 0 }]
  return sections.flatMap(({ begin, end, skipped, at }) => {
    const from = Math.max(begin, bytes.first)
    const source = at + from - begin - skipped
    // Behind the last scale is nothing that anybody reads.
    const length = Math.min(Math.min(end, bytes.end) - from, part.bytes - source)
    return length > 0 ? [{ from: source, to: from - bytes.first, length }] : []
  })
}

function unplacedCopy({ shape, dtype, label, packed }: Tensor): Tensor {
  const copy = new Tensor(shape, dtype, label, packed)
  copy.persistent = true
  return copy
}
