// ggml's K formats (ggml-common.h): blocks of 256 values, whose 8 or 16 groups have scales of few bits, in units of one f16.
// As in blocks.ts, a value is rounded once where it is stored.
import { type BlockFormat, float16Values } from './blocks.ts'

/** 16 bytes of a scale and an offset of 4 bits, numbers of 2 bits, d f16, dmin f16: number · scale · d - offset · dmin. */
export const Q2_K: BlockFormat = {
  values: 256,
  bytes: 84,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 84, to += 256) {
      const d = half[blocks[at + 80] | (blocks[at + 81] << 8)]
      const dmin = half[blocks[at + 82] | (blocks[at + 83] << 8)]
      for (let group = 0; group < 16; group++) {
        const scale = d * (blocks[at + group] & 15)
        const offset = dmin * (blocks[at + group] >> 4)
        const numbers = at + 16 + placeOf(group, 32)
        const shift = shiftOf(group)
        for (let i = 0; i < 16; i++) {
          values[to + group * 16 + i] = scale * ((blocks[numbers + i] >> shift) & 3) - offset
        }
      }
    }
  },
}

const q3Scales = new Int8Array(16)

/** 256 highest bits, numbers of 2 bits, 16 scales of 6 bits, d f16: (number - 4) · (scale - 32) · d. */
export const Q3_K: BlockFormat = {
  values: 256,
  bytes: 110,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 110, to += 256) {
      const d = half[blocks[at + 108] | (blocks[at + 109] << 8)]
      // Four bits of scale i are in byte i mod 8, the other two in byte 8 + i mod 4.
      for (let i = 0; i < 16; i++) {
        const low = (blocks[at + 96 + (i & 7)] >> (i < 8 ? 0 : 4)) & 15
        const high = (blocks[at + 104 + (i & 3)] >> ((i >> 2) * 2)) & 3
        q3Scales[i] = (low | (high << 4)) - 32
      }
      for (let group = 0; group < 16; group++) {
        const scale = d * q3Scales[group]
        const numbers = at + 32 + placeOf(group, 32)
        const shift = shiftOf(group)
        const bits = at + (group & 1) * 16
        for (let i = 0; i < 16; i++) {
          const high = (blocks[bits + i] >> (group >> 1)) & 1
          values[to + group * 16 + i] = scale * (((blocks[numbers + i] >> shift) & 3) + high * 4 - 4)
        }
      }
    }
  },
}

/** d f16, dmin f16, 8 scales and offsets of 6 bits, numbers of 4 bits: number · scale · d - offset · dmin. */
export const Q4_K: BlockFormat = {
  values: 256,
  bytes: 144,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 144, to += 256) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      const dmin = half[blocks[at + 2] | (blocks[at + 3] << 8)]
      // Two groups share bytes.
      for (let group = 0; group < 8; group += 2) {
        const scale = d * scaleOf(blocks, at + 4, group)
        const offset = dmin * offsetOf(blocks, at + 4, group)
        const scale2 = d * scaleOf(blocks, at + 4, group + 1)
        const offset2 = dmin * offsetOf(blocks, at + 4, group + 1)
        const numbers = at + 16 + group * 16
        const first = to + group * 32
        for (let i = 0; i < 32; i++) {
          const two = blocks[numbers + i]
          values[first + i] = scale * (two & 15) - offset
          values[first + i + 32] = scale2 * (two >> 4) - offset2
        }
      }
    }
  },
}

/** As Q4_K, with the highest bits of 256 numbers of 5 bits before the others. */
export const Q5_K: BlockFormat = {
  values: 256,
  bytes: 176,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 176, to += 256) {
      const d = half[blocks[at] | (blocks[at + 1] << 8)]
      const dmin = half[blocks[at + 2] | (blocks[at + 3] << 8)]
      for (let group = 0; group < 8; group += 2) {
        const scale = d * scaleOf(blocks, at + 4, group)
        const offset = dmin * offsetOf(blocks, at + 4, group)
        const scale2 = d * scaleOf(blocks, at + 4, group + 1)
        const offset2 = dmin * offsetOf(blocks, at + 4, group + 1)
        const numbers = at + 48 + group * 16
        const first = to + group * 32
        for (let i = 0; i < 32; i++) {
          const two = blocks[numbers + i]
          const high = (blocks[at + 16 + i] >> group) << 4
          values[first + i] = scale * ((two & 15) | (high & 16)) - offset
          values[first + i + 32] = scale2 * ((two >> 4) | ((high >> 1) & 16)) - offset2
        }
      }
    }
  },
}

/** Lower 4 and higher 2 bits of numbers, 16 signed scales of 8 bits, d f16: (number - 32) · scale · d. */
export const Q6_K: BlockFormat = {
  values: 256,
  bytes: 210,
  decode(blocks, values) {
    const half = float16Values()
    for (let at = 0, to = 0; at < blocks.length; at += 210, to += 256) {
      const d = half[blocks[at + 208] | (blocks[at + 209] << 8)]
      for (let group = 0; group < 16; group++) {
        const scale = d * ((blocks[at + 192 + group] << 24) >> 24)
        // Of 128 values the first and second 32 have the lower halves of 64 bytes, the others the upper ones.
        const low = at + (group >> 3) * 64 + (group & 3) * 16
        const lowShift = ((group >> 2) & 1) * 4
        const high = at + 128 + placeOf(group, 32)
        const highShift = shiftOf(group)
        for (let i = 0; i < 16; i++) {
          const number = ((blocks[low + i] >> lowShift) & 15) | (((blocks[high + i] >> highShift) & 3) << 4)
          values[to + group * 16 + i] = scale * (number - 32)
        }
      }
    }
  },
}

/** Where bytes of two bits a number begin for a group of 16: 128 values share so many bytes, 32 of them two bits of each. */
const placeOf = (group: number, bytes: number): number => (group >> 3) * bytes + (group & 1) * 16

/** How far up in them its numbers are. */
const shiftOf = (group: number): number => ((group >> 1) & 3) * 2

/** Scale i of 8 in the 12 bytes at `at`: those of the first four are whole, the others' upper two bits are above these. */
const scaleOf = (blocks: Uint8Array, at: number, i: number): number =>
  i < 4 ? blocks[at + i] & 63 : (blocks[at + i + 4] & 15) | ((blocks[at + i - 4] >> 2) & 48)

const offsetOf = (blocks: Uint8Array, at: number, i: number): number =>
  i < 4 ? blocks[at + i + 4] & 63 : (blocks[at + i + 4] >> 4) | ((blocks[at + i] >> 2) & 48)
