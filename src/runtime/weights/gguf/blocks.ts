// Blocks of 32 values with a scale of their own, as ggml stores them (ggml-common.h). Each value is a product of few bits, and
// a sum at most: exact in a JavaScript number, rounded once where it is stored.
import { toFloat32 } from '../dtypes.ts'

/** How values are stored in blocks, one after the other along a row. */
export interface BlockFormat {
  /** Values of a block. */
  readonly values: number
  /** Bytes of a block. */
  readonly bytes: number
  /** Values of all blocks in `blocks`, into as many places of `values`. */
  decode(blocks: Uint8Array, values: Float32Array): void
}

let halves: Float32Array | undefined

/** What each of the 65536 float16 stands for, by its bits. */
export function float16Values(): Float32Array {
  halves ??= toFloat32(new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer), 'F16')
  return halves
}

/** d f16, 16 bytes of two numbers each, of value i and i + 16: (number - 8) · d. */
export const Q4_0: BlockFormat = {
  values: 32,
  bytes: 18,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 18, to += 32) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      for (let i = 0; i < 16; i++) {
        const two = blocks[at + 2 + i]
        values[to + i] = d * ((two & 15) - 8)
        values[to + i + 16] = d * ((two >> 4) - 8)
      }
    }
  },
}

/** d f16, m f16, 16 bytes as in Q4_0: number · d + m. */
export const Q4_1: BlockFormat = {
  values: 32,
  bytes: 20,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 20, to += 32) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      const m = half[blocks[at + 2] | (blocks[at + 3] << 8)]
      for (let i = 0; i < 16; i++) {
        const two = blocks[at + 4 + i]
        values[to + i] = d * (two & 15) + m
        values[to + i + 16] = d * (two >> 4) + m
      }
    }
  },
}

/** d f16, the highest bits of 32 numbers, the lower ones as in Q4_0: (number - 16) · d. */
export const Q5_0: BlockFormat = {
  values: 32,
  bytes: 22,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 22, to += 32) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      const high = wordAt(blocks, at + 2)
      for (let i = 0; i < 16; i++) {
        const two = blocks[at + 6 + i]
        values[to + i] = d * (((two & 15) | (((high >>> i) & 1) << 4)) - 16)
        values[to + i + 16] = d * (((two >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16)
      }
    }
  },
}

/** d f16, m f16, numbers as in Q5_0: number · d + m. */
export const Q5_1: BlockFormat = {
  values: 32,
  bytes: 24,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 24, to += 32) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      const m = half[blocks[at + 2] | (blocks[at + 3] << 8)]
      const high = wordAt(blocks, at + 4)
      for (let i = 0; i < 16; i++) {
        const two = blocks[at + 8 + i]
        values[to + i] = d * ((two & 15) | (((high >>> i) & 1) << 4)) + m
        values[to + i + 16] = d * ((two >> 4) | (((high >>> (i + 16)) & 1) << 4)) + m
      }
    }
  },
}

/** d f16, 32 signed bytes: number · d. */
export const Q8_0: BlockFormat = {
  values: 32,
  bytes: 34,
  decode(blocks, values) {
    const half = float16Values()
    const signed = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.length)
    for (let at = 0, to = 0; at < blocks.length; at += 34, to += 32) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      for (let i = 0; i < 32; i++) values[to + i] = d * signed[at + 2 + i]
    }
  },
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
