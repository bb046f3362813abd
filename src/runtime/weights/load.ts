import { throwIfAborted } from '../abort.ts'
import type { Device } from '../device.ts'
import type { Tensor } from '../tensor.ts'
import { type BlockWeight, blockLayouts, valuesIn } from './block_layout.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, fill, type Values } from './fill.ts'
import { matchNames } from './match_names.ts'
import { deviceTensor, type Parameters } from './parameters.ts'
import { ShardedBlocks } from './sharded_blocks.ts'
import { needed, slicedShape, sliceOf, type WeightShare } from './share.ts'
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
}

/** Weights that have no bytes yet, or no longer: which they are, and how large, is known. */
export interface PreparedWeights {
  readonly weights: Weights
  /** Reads them from the checkpoint; after `weights.free()` it may be called again. */
  load(options?: Pick<LoadOptions, 'onProgress' | 'signal' | 'chunkBytes'>): Promise<void>
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
      const tensor = deviceTensor(name, { ...parameter, shape: slicedShape(parameter.shape, slice) }, device.target)
      tensors.set(name, tensor)
      const values = { name, parameter, slice }
      const into = async (chunk: Uint8Array) => {
        tensor.placement = await weightBuffer(device, tensor.bytes, `weight ${name}`)
        await fill(device, checkpoint, tensor, values, chunk)
      }
      return { ...values, into }
    })
  for (const { layout, shares, own } of blocks?.blocks ?? []) {
    for (const weight of valuesIn(layout, shares[gathering!.index])) {
      readings.push({ ...weight, into: (chunk) => fillShare(device, checkpoint, weight, own!, chunk) })
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
  return { weights, load }
}

async function readAll(
  device: Device,
  checkpoint: Checkpoint,
  readings: readonly Reading[],
  { chunkBytes, onProgress, signal }: LoadOptions,
): Promise<void> {
  const sizes = readings.map(({ name, slice, elements }) => {
    const { first, end } = bytesOf(checkpoint.entry(name).tensor, slice, elements)
    return end - first
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
  weight: BlockWeight,
  own: Tensor,
  chunk: Uint8Array,
): Promise<void> {
  const { name, parameter, slice, tensor, elements, offset } = weight
  const { buffer, bytes } = own.placement!
  const part = deviceTensor(
    name,
    { ...parameter, shape: [elements!.end - elements!.first], layout: 'rows' },
    device.target,
  )
  if (slice?.axis !== 1 && parameter.layout === 'rows') {
    part.placement = { buffer, bytes, offset }
    return fill(device, checkpoint, part, weight, chunk)
  }
  // Its values are not together in the file: the whole passes through.
  const whole = deviceTensor(name, { ...parameter, shape: [...tensor.shape] }, device.target)
  whole.placement = await weightBuffer(device, whole.bytes, `weight ${name}`)
  try {
    await fill(device, checkpoint, whole, { name, parameter, slice }, chunk)
    const from = elements!.first * (tensor.dtype === 'f16' ? 2 : 4)
    await device.checked(() => {
      const encoder = device.gpu.createCommandEncoder()
      encoder.copyBufferToBuffer(whole.placement!.buffer, from, buffer, offset, part.bytes)
      device.gpu.queue.submit([encoder.finish()])
    })
  } finally {
    freeWeightBuffer(device, whole.placement)
  }
}
