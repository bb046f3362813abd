import { DitError } from '../errors.ts'

/** Bytes an element of each safetensors dtype takes. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const

/** Element types by their safetensors names. */
export type Dtype = keyof typeof DTYPE_BYTES

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name)
}

export type TensorData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>

/** The typed array that holds a dtype's stored bits. F16 and BF16 have none of their own in JavaScript: raw bits. */
export const STORED_AS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
} as const

/**
 * Stored bytes as host numbers: F16 and BF16 widened exactly to Float32Array, BOOL as 0 or 1, F8 as raw bits, the
 * others as they are. safetensors and every platform that runs WebGPU are little-endian, so no bytes are swapped.
 */
export function toHost(bytes: Uint8Array, dtype: Dtype): TensorData {
  if (dtype === 'F16' || dtype === 'BF16') return toFloat32(bytes, dtype)
  return new STORED_AS[dtype](new Uint8Array(bytes).buffer)
}

/**
 * Stored bytes as floats, exact for F32, F16 and BF16 (subnormals, infinities and NaN payloads included).
 * @throws DitError 'unsupported' for any other dtype
 */
export function toFloat32(bytes: Uint8Array, dtype: Dtype): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return new Float32Array(new Uint8Array(bytes).buffer)
  if (dtype !== 'F16' && dtype !== 'BF16') {
    throw new DitError('unsupported', `cannot read ${dtype} as floats; F32, F16 or BF16 was expected`)
  }
  const halves = new Uint16Array(new Uint8Array(bytes).buffer)
  const bits = new Uint32Array(halves.length)
  if (dtype === 'BF16') for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16
  else for (let i = 0; i < halves.length; i++) bits[i] = widenHalf(halves[i])
  return new Float32Array(bits.buffer)
}

/** The bits of the f32 that equals the f16 with these bits (IEEE 754 binary16 to binary32). */
function widenHalf(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const mantissa = half & 0x3ff
  if (exponent === 31) return sign | 0x7f800000 | (mantissa << 13)
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13) // 112 = bias 127 - bias 15
  if (mantissa === 0) return sign
  const shift = Math.clz32(mantissa) - 21 // a subnormal: move its leading one to the implicit place
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
}
