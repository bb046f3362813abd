import { convert, convertName, type FileType } from '../../wgsl/convert.ts'
import { numberBytes, type WeightFormat } from '../../wgsl/quantized/format.ts'
import { quantize, quantizeName } from '../../wgsl/quantized/quantize.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { Device } from '../device.ts'
import type { Kernel } from '../kernel.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Share } from '../shares.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { UniformPacker } from '../uniforms.ts'
import type { Checkpoint } from './checkpoint.ts'
import { dispatchOnce } from './dispatch_once.ts'
import { fillRandom } from './fill_random.ts'
import { chunkAdder } from './low_rank.ts'
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

/** A kernel that takes in a chunk of a file, and what it is told about one. */
interface Intake {
  readonly code: Kernel
  /** Bytes of which chunks consist. */
  readonly unit: number
  /** Threads for a chunk of so many bytes, and its uniforms; it begins `at` bytes behind the first that is wanted. */
  chunk(bytes: number, at: number): { readonly threads: number; readonly uniforms: readonly number[] }
}

/**
 * Reads the stored values chunk by chunk into a tensor, converting or quantizing them on the device; what is added to them is
 * added before that, in f32.
 */
export async function fill(
  device: Device,
  checkpoint: Checkpoint,
  tensor: Tensor,
  values: Values,
  chunk: Uint8Array,
): Promise<void> {
  const { name, parameter, slice, elements } = values
  if (checkpoint.source.random) return fillRandom(device, tensor, name, parameter.shape)
  const { tensor: stored } = checkpoint.entry(name)
  const lowRank = await checkpoint.lowRank?.(name)
  const type = lowRank ? 'F32' : (stored.dtype as FileType)
  const workgroup = flatWorkgroup(device.target)
  const { code, ...intake } = parameter.format
    ? quantizing(type, parameter.format, tensor, values, workgroup)
    : converting(type, tensor, values, workgroup)
  await device.pipelines.prepare([code])
  // Bytes that the kernel is given for each that is read.
  const wider = BYTES[type] / BYTES[stored.dtype as FileType]
  const unit = Math.max(4, intake.unit / wider)
  const space = chunk.length < unit ? new Uint8Array(unit) : chunk.subarray(0, chunk.length - (chunk.length % unit))
  const { first, end } = bytesOf(stored, slice, elements)
  const adder = lowRank && (await chunkAdder(device, stored.dtype as FileType, columnsOf(parameter), lowRank))
  try {
    for (let at = 0; first + at < end; at += space.length) {
      const bytes = Math.min(space.length, end - first - at)
      // Not into mapped memory: a lost device takes that away, while the system may still be writing to it.
      const read = space.subarray(0, bytes)
      await checkpoint.readInto(name, first + at, read)
      const staging = await device.buffer({
        size: Math.ceil(bytes / 4) * 4,
        usage: GPUBufferUsage.STORAGE,
        mappedAtCreation: true,
        label: `weight ${name} on its way`,
      })
      let added: GPUBuffer | undefined
      try {
        new Uint8Array(staging.getMappedRange()).set(read)
        staging.unmap()
        const size = BYTES[stored.dtype as FileType]
        added = await adder?.added(staging, (first + at) / size, bytes / size)
        const { threads, uniforms } = intake.chunk(bytes * wider, at * wider)
        const packer = new UniformPacker(16)
        packer.add(uniforms)
        const block = await device.uniformBuffer(packer.bytes)
        await device.checked(() => {
          device.gpu.queue.writeBuffer(block, 0, packer.data)
          const { buffer, offset } = tensor.placement!
          const places = [{ buffer: block }, { buffer: added ?? staging }, { buffer, offset, size: tensor.bytes }]
          dispatchOnce(device, code, places, flatGroups(threads, workgroup))
        })
      } finally {
        staging.destroy()
        added?.destroy()
      }
    }
  } finally {
    adder?.free()
  }
}

/** Values of a weight for each of its rows. */
const columnsOf = ({ shape }: Parameter): number => shape.slice(1).reduce((product, length) => product * length, 1)

function converting(type: FileType, tensor: Tensor, { parameter, slice }: Values, workgroup: number): Intake {
  const { shape, layout } = parameter
  const to = floatType(tensor)
  const how = slice?.axis === 1 ? 'columns' : layout
  const window = layout === 'window' ? shape[2] * shape[3] : 1
  const rest = slice?.axis === 1 ? [shape[1], ...places(slice.ranges)] : [shape[1] ?? 1, window]
  return {
    code: kernel(convertName(type, to, how, workgroup), () => convert(type, to, how, workgroup)),
    unit: 4,
    chunk(bytes, at) {
      const words = Math.ceil(bytes / 4)
      return { threads: words, uniforms: [words, bytes / BYTES[type], at / BYTES[type], ...rest] }
    },
  }
}

/** Into numbers and scales; or, where the tensor is a slice that goes through groups, into what they stand for. */
function quantizing(
  type: FileType,
  format: WeightFormat,
  tensor: Tensor,
  { parameter: { shape }, slice }: Values,
  workgroup: number,
): Intake {
  const to = tensor.packed ? 'packed' : floatType(tensor)
  const { group } = format
  const unit = group * BYTES[type]
  // What is kept in a row is counted in groups, where it consists of them. Whole rows are one row of all groups.
  const size = tensor.packed ? group : 1
  const kept = slice?.axis === 1 ? places(slice.ranges).map((columns) => columns / size) : [0, tensor.size / size, 0, 0]
  const groups = (slice?.axis === 1 ? shape[1] : tensor.size) / group
  const scales = tensor.packed ? numberBytes(format, tensor.size) / 4 : 0
  return {
    code: kernel(quantizeName(type, format, to, workgroup), () => quantize(type, format, to, workgroup)),
    unit,
    chunk: (bytes, at) => ({ threads: bytes / unit, uniforms: [bytes / unit, at / unit, groups, ...kept, scales] }),
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
