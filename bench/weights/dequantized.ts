import { toFloat32 } from '../../src/runtime/weights/dtypes.ts'
import type { WeightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { numberBytes } from '../../src/wgsl/quantized/format.ts'

/** `count` values from `first` on, of so many that the bytes of a weight of few bits hold. */
export function dequantized(
  bytes: ArrayBuffer,
  size: number,
  { bits, group, symmetric }: WeightFormat,
  first: number,
  count: number,
): Float64Array {
  const words = new Uint32Array(bytes)
  const perWord = 32 / bits
  const scales = toFloat32(new Uint8Array(bytes, numberBytes({ bits, group, symmetric }, size)), 'F16')
  return Float64Array.from({ length: count }, (_, i) => {
    const at = first + i
    const t = at % perWord
    const number = (words[Math.floor(at / perWord)] >>> ((t % 2) * 16 + (t >> 1) * bits)) & (2 ** bits - 1)
    const of = Math.floor(at / group)
    const scale = scales[symmetric ? of : 2 * of]
    return number * scale + (symmetric ? -(2 ** (bits - 1)) * scale : scales[2 * of + 1])
  })
}
