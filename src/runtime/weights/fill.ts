import { convert, convertName, type FileType } from '../../wgsl/convert.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { Device } from '../device.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Share } from '../shares.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { UniformPacker } from '../uniforms.ts'
import type { Checkpoint } from './checkpoint.ts'
import { dispatchOnce } from './dispatch_once.ts'
import { fillRandom } from './fill_random.ts'
import type { Parameter } from './parameters.ts'
import type { Slice } from './share.ts'

const BYTES: Record<FileType, number> = { F32: 4, F16: 2, BF16: 2 }

/** Which of a stored tensor's values are wanted. */
export interface Values {
  readonly name: string
  readonly parameter: Parameter
  readonly slice: Slice | undefined
  /** Of the slice's values, counted row by row, these alone; not of columns, nor of windows. */
  readonly elements?: Share
}

/** Reads the stored values chunk by chunk into a tensor, converting them on the device. */
export async function fill(
  device: Device,
  checkpoint: Checkpoint,
  tensor: Tensor,
  { parameter: { shape, layout }, name, slice, elements }: Values,
  chunk: Uint8Array,
): Promise<void> {
  if (checkpoint.source.random) return fillRandom(device, tensor, name, shape)
  const { tensor: stored } = checkpoint.entry(name)
  const type = stored.dtype as FileType
  const to = floatType(tensor)
  const workgroup = flatWorkgroup(device.target)
  const how = slice?.axis === 1 ? 'columns' : layout
  const code = kernel(convertName(type, to, how, workgroup), () => convert(type, to, how, workgroup))
  await device.pipelines.prepare([code])
  const { first, end } = bytesOf(stored, slice, elements)
  for (let at = 0; first + at < end; at += chunk.length) {
    const bytes = Math.min(chunk.length, end - first - at)
    // Not into mapped memory: a lost device takes that away, while the system may still be writing to it.
    const read = chunk.subarray(0, bytes)
    await checkpoint.readInto(name, first + at, read)
    const staging = await device.buffer({
      size: Math.ceil(bytes / 4) * 4,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
      label: `weight ${name} on its way`,
    })
    try {
      new Uint8Array(staging.getMappedRange()).set(read)
      staging.unmap()
      const words = Math.ceil(bytes / 4)
      const window = layout === 'window' ? shape[2] * shape[3] : 1
      const rest = slice?.axis === 1 ? [shape[1], ...places(slice.ranges)] : [shape[1] ?? 1, window]
      const uniforms = [words, bytes / BYTES[type], at / BYTES[type], ...rest]
      const packer = new UniformPacker(16)
      packer.add(uniforms)
      const block = await device.uniformBuffer(packer.bytes)
      await device.checked(() => {
        device.gpu.queue.writeBuffer(block, 0, packer.data)
        const { buffer, offset } = tensor.placement!
        const places = [{ buffer: block }, { buffer: staging }, { buffer, offset, size: tensor.bytes }]
        dispatchOnce(device, code, places, flatGroups(words, workgroup))
      })
    } finally {
      staging.destroy()
    }
  }
}

/** Where kept columns begin and how many they are, in one place or two. */
const places = ([one, two = { first: 0, end: 0 }]: readonly Share[]): number[] =>
  [one, two].flatMap(({ first, end }) => [first, end - first])

/** The bytes of the stored tensor that values are in: rows are together, of columns all rows are read. */
export function bytesOf(
  { bytes, shape }: { bytes: number; shape: readonly number[] },
  slice?: Slice,
  elements?: Share,
): Share {
  const size = bytes / shape.reduce((product, length) => product * length, 1)
  const row = bytes / shape[0]
  const first = slice?.axis === 0 ? slice.ranges[0].first * row : 0
  if (elements) return { first: first + elements.first * size, end: first + elements.end * size }
  return { first, end: slice?.axis === 0 ? slice.ranges[0].end * row : bytes }
}
