import type { FileType } from '../../wgsl/convert.ts'
import { lowRank, lowRankName } from '../../wgsl/low_rank.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { Device } from '../device.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import { UniformPacker } from '../uniforms.ts'
import type { Checkpoint } from './checkpoint.ts'
import { dispatchOnce } from './dispatch_once.ts'

/** What is added to a weight: a product of two thin matrices. */
export interface LowRank {
  readonly rank: number
  /** [rows of the weight, rank], scale and all. */
  readonly up: Float32Array<ArrayBuffer>
  /** [rank, all other dimensions of the weight]. */
  readonly down: Float32Array<ArrayBuffer>
}

/** What is added to the weights of a network, by checkpoint key. It is read anew whenever a weight is loaded. */
export type LowRanks = ReadonlyMap<string, () => Promise<LowRank>>

/** What is added to the weights of a network as they are loaded from now on. */
export interface Additions {
  current: LowRanks
}

/** A checkpoint whose weights are loaded with what is added to them. What it reads on the host is as stored. */
export const addedTo = (checkpoint: Checkpoint, additions: Additions): Checkpoint => ({
  ...checkpoint,
  lowRank: (name) => additions.current.get(name)?.(),
})

/** Several sums of products as one: as many products side by side. */
export function stacked(parts: readonly LowRank[]): LowRank {
  if (parts.length === 1) return parts[0]
  const rank = parts.reduce((sum, part) => sum + part.rank, 0)
  const rows = parts[0].up.length / parts[0].rank
  const columns = parts[0].down.length / parts[0].rank
  const up = new Float32Array(rows * rank)
  const down = new Float32Array(rank * columns)
  let first = 0
  for (const part of parts) {
    down.set(part.down, first * columns)
    for (let row = 0; row < rows; row++) {
      up.set(part.up.subarray(row * part.rank, (row + 1) * part.rank), row * rank + first)
    }
    first += part.rank
  }
  return { rank, up, down }
}

/** Adds to chunks of a weight that are on their way, in f32. */
export interface ChunkAdder {
  /**
   * @param chunk values as stored, so many of them from value `first` of the weight on
   * @returns the sums, f32; to be destroyed by who asked for them
   */
  added(chunk: GPUBuffer, first: number, count: number): Promise<GPUBuffer>
  free(): void
}

/** @param columns values of the weight for each of its rows */
export async function chunkAdder(
  device: Device,
  type: FileType,
  columns: number,
  { rank, up, down }: LowRank,
): Promise<ChunkAdder> {
  const workgroup = flatWorkgroup(device.target)
  const code = kernel(lowRankName(type, workgroup), () => lowRank(type, workgroup))
  await device.pipelines.prepare([code])
  const upload = async (data: Float32Array<ArrayBuffer>, label: string) => {
    const buffer = await device.buffer({
      size: data.byteLength,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
      label,
    })
    new Float32Array(buffer.getMappedRange()).set(data)
    buffer.unmap()
    return buffer
  }
  const ups = await upload(up, 'rows of a product')
  const downs = await upload(down, 'columns of a product').catch((error) => {
    ups.destroy()
    throw error
  })
  return {
    async added(chunk, first, count) {
      const sums = await device.buffer({
        size: count * 4,
        usage: GPUBufferUsage.STORAGE,
        label: 'a weight with what is added to it',
      })
      const words = chunk.size / 4
      const packer = new UniformPacker(16)
      packer.add([words, count, first, columns, rank])
      const block = await device.uniformBuffer(packer.bytes)
      await device.checked(() => {
        device.gpu.queue.writeBuffer(block, 0, packer.data)
        const places = [block, chunk, ups, downs, sums].map((buffer) => ({ buffer }))
        dispatchOnce(device, code, places, flatGroups(words, workgroup))
      })
      return sums
    },
    free() {
      ups.destroy()
      downs.destroy()
    },
  }
}
