import { roundToFloat16 } from '../../src/schedulers/half_rounding.ts'

/** Values in f16, normally distributed, as its bits. The first million are drawn, the rest are those again in another order. */
export function normalHalves(count: number): Uint16Array<ArrayBuffer> {
  const drawn = Math.min(count, 1 << 20)
  const halves = new Uint16Array(count + (count % 2))
  for (let i = 0; i < drawn; i++) {
    halves[i] = bitsOf(Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()))
  }
  for (let i = drawn; i < count; i++) halves[i] = halves[(i * 7 + (i >> 20) * 12_347) & (drawn - 1)]
  return halves
}

/** f16 of normal numbers; smaller ones become 0. */
function bitsOf(value: number): number {
  const rounded = roundToFloat16(value)
  const exponent = Math.floor(Math.log2(Math.abs(rounded)))
  if (rounded === 0 || exponent < -14) return 0
  return (rounded < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(rounded) / 2 ** exponent - 1) * 1024)
}

export function numberOf(half: number): number {
  const [exponent, mantissa] = [(half >> 10) & 31, half & 1023]
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15)
  return half & 0x8000 ? -magnitude : magnitude
}
