import { roundToFloat16 } from '../../src/schedulers/half_rounding.ts'

/** The bits of the f16 nearest to `value`, which is at most 65504 and at least 2^-14, or 0. */
function halfBits(value: number): number {
  const rounded = roundToFloat16(value)
  if (rounded === 0) return 0
  const sign = rounded < 0 ? 0x8000 : 0
  const exponent = Math.floor(Math.log2(Math.abs(rounded)))
  if (exponent < -14) throw new Error(`${value} is subnormal as f16: choose other test data`)
  return sign | ((exponent + 15) << 10) | ((Math.abs(rounded) / 2 ** exponent - 1) * 1024)
}

/** Random values that f16 holds exactly: as numbers, and as its bits. */
export function randomHalves(count: number, amplitude = 1): { values: Float32Array; bits: Uint16Array } {
  const bits = new Uint16Array(count)
  const values = Float32Array.from({ length: count }, (_, i) => {
    const magnitude = 2 ** -10 + Math.random() * (amplitude - 2 ** -10)
    const value = Math.random() < 0.5 ? -magnitude : magnitude
    bits[i] = halfBits(value)
    return roundToFloat16(value)
  })
  return { values, bits }
}
