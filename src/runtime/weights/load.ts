import { convert, convertName, type FileType } from '../../wgsl/convert.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { throwIfAborted } from '../abort.ts'
import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { UniformPacker } from '../uniforms.ts'
import type { Checkpoint } from './checkpoint.ts'
import { matchNames } from './match_names.ts'
import { deviceTensor, type Parameter, type Parameters } from './parameters.ts'
import { needed, type Slice, slicedShape, sliceOf, type WeightShare } from './share.ts'
import { Weights } from './weights.ts'

/** Bytes read at once unless told otherwise. The host holds two such chunks at most, whatever the model's size. */
const CHUNK = 16 * 2 ** 20
const BYTES: Record<FileType, number> = { F32: 4, F16: 2, BF16: 2 }

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
  matchNames(new Map([...parameters.all].map(([name, p]) => [name, p.shape])), checkpoint, { ignore: options.ignore })
  const share = options.share ?? {}
  const wanted = [...parameters.all].filter(([, parameter]) => needed(parameter, share))
  const names = wanted.map(([name]) => name)
  const read = (name: string, parameter: Parameter) => {
    const { begin, end } = bytesOf(checkpoint.entry(name).tensor, sliceOf(parameter, share))
    return end - begin
  }
  const total = wanted.reduce((sum, [name, parameter]) => sum + read(name, parameter), 0)
  const tensors = new Map<string, Tensor>()
  const weights = new Weights(device, tensors)
  const greatest = names.reduce((most, name) => Math.max(most, checkpoint.entry(name).tensor.bytes), 0)
  const chunk = new Uint8Array(Math.min(greatest, options.chunkBytes ?? CHUNK))
  let loaded = 0
  return device.during(async () => {
    try {
      for (const [name, parameter] of wanted) {
        const slice = sliceOf(parameter, share)
        const tensor = await allocate(device, name, { ...parameter, shape: slicedShape(parameter.shape, slice) })
        tensors.set(name, tensor)
        await fill(device, checkpoint, tensor, parameter, slice, chunk)
        throwIfAborted(options.signal)
        loaded += read(name, parameter)
        options.onProgress?.(loaded, total)
      }
      await device.finished()
      return weights
    } catch (error) {
      weights.free()
      throw error
    }
  })
}

/** Reads the stored values chunk by chunk into `tensor`. */
async function fill(
  device: Device,
  checkpoint: Checkpoint,
  tensor: Tensor,
  { shape, layout }: Parameter,
  slice: Slice | undefined,
  chunk: Uint8Array,
): Promise<void> {
  const { path, tensor: stored } = checkpoint.entry(tensor.label)
  const type = stored.dtype as FileType
  const to = floatType(tensor)
  const workgroup = flatWorkgroup(device.target)
  const how = slice?.axis === 1 ? 'columns' : layout
  const code = kernel(convertName(type, to, how, workgroup), () => convert(type, to, how, workgroup))
  await device.pipelines.prepare([code])
  const { begin, end } = bytesOf(stored, slice)
  for (let at = 0; begin + at < end; at += chunk.length) {
    const bytes = Math.min(chunk.length, end - begin - at)
    // Not into mapped memory: a lost device takes that away, while the system may still be writing to it.
    const read = chunk.subarray(0, bytes)
    await checkpoint.source.readInto(path, begin + at, read)
    const staging = await device.buffer({
      size: Math.ceil(bytes / 4) * 4,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
      label: `weight ${tensor.label} on its way`,
    })
    try {
      new Uint8Array(staging.getMappedRange()).set(read)
      staging.unmap()
      const words = Math.ceil(bytes / 4)
      const window = layout === 'window' ? shape[2] * shape[3] : 1
      const rest =
        slice?.axis === 1 ? [shape[1], slice.range.first, slice.range.end - slice.range.first] : [shape[1] ?? 1, window]
      const uniforms = [words, bytes / BYTES[type], at / BYTES[type], ...rest]
      const packer = new UniformPacker(16)
      packer.add(uniforms)
      const block = await device.uniformBuffer(packer.bytes)
      await device.checked(() => {
        device.gpu.queue.writeBuffer(block, 0, packer.data)
        dispatch(device, code, [block, staging, tensor.placement!.buffer], flatGroups(words, workgroup))
      })
    } finally {
      staging.destroy()
    }
  }
}

/** The bytes of the file that a slice is in: rows are together, of columns all rows are read. */
function bytesOf({ begin, bytes, shape }: { begin: number; bytes: number; shape: readonly number[] }, slice?: Slice) {
  if (slice?.axis !== 0) return { begin, end: begin + bytes }
  const row = bytes / shape[0]
  return { begin: begin + slice.range.first * row, end: begin + slice.range.end * row }
}

/** The weight's place on the device, counted against --memory; its values are yet to come. */
async function allocate(device: Device, name: string, parameter: Parameter): Promise<Tensor> {
  const tensor = deviceTensor(name, parameter, device.target)
  const limit = Math.min(device.gpu.limits.maxBufferSize, device.gpu.limits.maxStorageBufferBindingSize)
  if (tensor.bytes > limit) {
    throw new DitError(
      'out-of-memory',
      `weight ${tensor.label} needs a buffer of ${tensor.bytes} bytes, this device allows ${limit}`,
      'use a smaller model, or another device',
    )
  }
  device.reserveWeights(tensor.bytes, `weight ${tensor.label}`)
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
  try {
    const buffer = await device.buffer({ size: tensor.bytes, usage, label: `weight ${tensor.label}` })
    tensor.placement = { buffer, bytes: tensor.bytes }
    return tensor
  } catch (error) {
    device.releaseWeights(tensor.bytes)
    throw error
  }
}

function dispatch(
  device: Device,
  code: ReturnType<typeof kernel>,
  buffers: GPUBuffer[],
  groups: [number, number, number],
): void {
  const pipeline = device.pipelines.get(code)!
  const encoder = device.gpu.createCommandEncoder()
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(
    0,
    device.gpu.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  )
  pass.dispatchWorkgroups(...groups)
  pass.end()
  device.gpu.queue.submit([encoder.finish()])
}
