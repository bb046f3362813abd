import { throwIfAborted } from '../abort.ts'
import type { Device } from '../device.ts'
import type { Tensor } from '../tensor.ts'
import { blockLayouts, valuesIn } from './block_layout.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, fill, type Values } from './fill.ts'
import { fillShare } from './fill_share.ts'
import { matchNames } from './match_names.ts'
import type { Parameters } from './parameters.ts'
import { ShardedBlocks } from './sharded_blocks.ts'
import { needed, slicedTensor, sliceOf, type WeightShare } from './share.ts'
import { StreamedBlocks } from './streamed_blocks.ts'
import { weightBuffer } from './weight_buffer.ts'
import { Weights } from './weights.ts'

/** Bytes read at once unless told otherwise. The host holds two such chunks at most, whatever the model's size. */
const CHUNK = 16 * 2 ** 20

export interface LoadOptions {
  /** The part of the weights that one rank of several loads. Default: all. */
  share?: WeightShare
  /**
   * Keep the weights of blocks on the host, and have two blocks on the device at a time. Default: all are on the device, or what
   * `share` says of them; ranks that share blocks cannot.
   */
  streamed?: boolean
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
  /** Whether loading needs it. */
  lacking(): boolean
  /** Whether it was read, and is to be read again now that what is added to the weights of these names has changed. */
  outdated(changed: ReadonlySet<string>): boolean
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
  { share = {}, ignore, streamed }: Pick<LoadOptions, 'share' | 'ignore' | 'streamed'>,
): PreparedWeights {
  matchNames(new Map([...parameters.all].map(([name, p]) => [name, p.shape])), checkpoint, { ignore })
  const { gathering } = share
  const wanted = [...parameters.all].filter(([, parameter]) => needed(parameter, share))
  const tensors = new Map<string, Tensor>()
  const layouts = () => blockLayouts(wanted, share, device.target)
  const sharded = gathering && new ShardedBlocks(device, gathering, layouts())
  const onHost = streamed && !gathering ? new StreamedBlocks(device, layouts()) : undefined
  const blocks = sharded ?? onHost
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
      const outdated = (names: ReadonlySet<string>) => names.has(name) && tensor.placement !== undefined
      return { ...values, into, lacking: () => true, outdated }
    })
  for (const { layout, shares, own } of sharded?.blocks ?? []) {
    for (const weight of valuesIn(layout, shares[gathering!.index])) {
      const into = (chunk: Uint8Array) => fillShare(device, checkpoint, weight, own!, chunk)
      const outdated = (names: ReadonlySet<string>) => names.has(weight.name) && own?.placement !== undefined
      readings.push({ ...weight, into, lacking: () => true, outdated })
    }
  }
  if (onHost) readings.push(...streamedReadings(device, checkpoint, onHost))
  const load: PreparedWeights['load'] = (options = {}) =>
    device.during(async () => {
      try {
        await blocks?.allocate()
        const lacking = readings.filter((reading) => reading.lacking())
        await readAll(device, checkpoint, lacking, options)
      } catch (error) {
        weights.free()
        throw error
      }
    })
  const reload: PreparedWeights['reload'] = async (names, options = {}) => {
    onHost?.forget(names)
    const changed = readings.filter(({ outdated }) => outdated(names))
    if (changed.length > 0) await device.during(() => readAll(device, checkpoint, changed, options))
  }
  return { weights, load, reload }
}

/** Whole blocks, one after the other: read into their places on the device, and taken from there to the host. */
function streamedReadings(device: Device, checkpoint: Checkpoint, blocks: StreamedBlocks): Reading[] {
  return blocks.blocks.flatMap(({ layout: { weights } }, at) =>
    weights.map((weight, k): Reading => {
      const into = async (chunk: Uint8Array) => {
        if (k === 0) await blocks.empty(at)
        clear(device, weight.tensor)
        await fill(device, checkpoint, weight.tensor, weight, chunk)
        if (k === weights.length - 1) await blocks.keep(at)
      }
      return { ...weight, into, lacking: () => blocks.lacks(at), outdated: () => blocks.allocated && blocks.lacks(at) }
    }),
  )
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
