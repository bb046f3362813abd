import { describe, expect, it } from 'vitest'
import { toFloat32, toHost } from '../../../src/runtime/weights/dtypes.ts'

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i)
const bytes = new Uint8Array(ALL.buffer)

describe('toFloat32', () => {
  it('widens each of the 65536 halves as IEEE 754 defines them', () => {
    const floats = toFloat32(bytes, 'F16')
    for (let h = 0; h < 65536; h++) {
      const sign = h & 0x8000 ? -1 : 1
      const exponent = (h >> 10) & 31
      const fraction = (h & 1023) / 1024
      let value = sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15))
      if (exponent === 31) value = fraction === 0 ? sign * Infinity : Number.NaN
      if (!Object.is(floats[h], value)) expect.fail(`half ${h.toString(16)}: ${floats[h]}, expected ${value}`)
    }
  })

  it('widens each of the 65536 bfloat16s by sixteen zero bits', () => {
    const bits = new Uint32Array(toFloat32(bytes, 'BF16').buffer)
    expect(bits.every((value, i) => value === i * 65536)).toBe(true)
  })

  it('copies F32, from any place in memory', () => {
    const buffer = new Uint8Array(9)
    new DataView(buffer.buffer).setFloat32(1, -1.5, true)
    expect([...toFloat32(buffer.subarray(1, 5), 'F32')]).toEqual([-1.5])
    expect([...toFloat32(Buffer.from(buffer).subarray(1, 5), 'F32')]).toEqual([-1.5])
  })

  it('refuses integers', () => {
    expect(() => toFloat32(bytes, 'I64')).toThrow('cannot read I64 as floats')
  })
})

describe('toHost', () => {
  it('gives integers and booleans their own arrays', () => {
    const eight = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255)
    expect(toHost(eight, 'I64')).toEqual(BigInt64Array.of(-1n))
    expect(toHost(eight, 'I32')).toEqual(Int32Array.of(-1, -1))
    expect(toHost(Uint8Array.of(0, 1), 'BOOL')).toEqual(Uint8Array.of(0, 1))
    expect(toHost(Uint8Array.of(0, 0x3c), 'F16')).toEqual(Float32Array.of(1))
  })
})
