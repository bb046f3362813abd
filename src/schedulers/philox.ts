// Philox4x32-10 (Salmon et al. 2011), the counter-based generator of CUDA's random numbers.

const ROUNDS = 10

/** The four 32-bit words for a key and a counter of 64 bits twice; low words first. Written into `out`. */
export function philox4x32(
  key: readonly [low: number, high: number],
  counter: readonly [number, number, number, number],
  out: Uint32Array,
): void {
  let [k0, k1] = key
  let [c0, c1, c2, c3] = counter
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0)
    const high1 = multiplyHigh(0xcd9e8d57, c2)
    const low0 = Math.imul(0xd2511f53, c0)
    const low1 = Math.imul(0xcd9e8d57, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** The high 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16]
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const other = aLow * bHigh + (middle & 0xffff)
  return aHigh * bHigh + (middle >>> 16) + (other >>> 16)
}
