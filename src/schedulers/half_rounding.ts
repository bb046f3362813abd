/** `value` rounded to the nearest float16 (ties to even), as a number. */
export function roundToFloat16(value: number): number {
  const float = Math.fround(value)
  const magnitude = Math.abs(float)
  // 65520 is half way between the greatest float16 and the next step, and rounds away.
  if (magnitude >= 65520) return Math.sign(float) * Number.POSITIVE_INFINITY
  // Below 2^-14 the spacing stays that of the subnormals, 2^-24; above, 10 bits follow the leading one.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14)
  const step = 2 ** (exponent - 10)
  return roundHalfEven(float / step) * step
}

const bits = new DataView(new ArrayBuffer(4))

/** `value` rounded to the nearest bfloat16 (ties to even), as a number. NaN and infinities stay. */
export function roundToBfloat16(value: number): number {
  if (!Number.isFinite(value)) return value
  bits.setFloat32(0, value)
  const word = bits.getUint32(0)
  bits.setUint32(0, (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000)
  return bits.getFloat32(0)
}

/** The nearest integer, ties to even, as numpy's `round`. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}
