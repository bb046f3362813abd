import type { Device } from '../../src/runtime/device.ts'
import { openCheckpoint } from '../../src/runtime/weights/checkpoint.ts'
import { loadWeights } from '../../src/runtime/weights/load.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../src/runtime/weights/parameters.ts'
import { quantizedParameters } from '../../src/runtime/weights/quantized.ts'
import { writeSafetensors } from '../../src/runtime/weights/safetensors_writer.ts'
import type { Weights } from '../../src/runtime/weights/weights.ts'
import { roundToFloat16 } from '../../src/schedulers/half_rounding.ts'
import { numberBytes, type WeightFormat } from '../../src/wgsl/quantized/format.ts'

/** What a weight of few bits should hold. */
export interface Quantized {
  /** From 0 on, a value after the other. */
  readonly numbers: number[]
  /** A group after the other. */
  readonly scales: number[]
  readonly offsets: number[]
  /** What they stand for. */
  readonly values: Float32Array<ArrayBuffer>
}

/** As ggml's quantize_row_q4_0_ref, _q8_0_ref and _q4_1_ref, for any group and, where it is asymmetric, for 8 bits. */
export function quantized(values: Float32Array, { bits, group, symmetric }: WeightFormat): Quantized {
  const f = Math.fround
  const steps = 2 ** bits - 1
  const result: Quantized = { numbers: [], scales: [], offsets: [], values: new Float32Array(values.length) }
  for (let first = 0; first < values.length; first += group) {
    const own = [...values.subarray(first, first + group)]
    const least = Math.min(...own)
    const magnitude = Math.max(...own.map(Math.abs))
    const extreme = own.find((v) => Math.abs(v) === magnitude)!
    const exact = symmetric ? (bits === 4 ? extreme / -8 : magnitude / 127) : f(Math.max(...own) - least) / steps
    const inverse = f(exact) === 0 ? 0 : f(1 / f(exact))
    const number = (v: number): number => {
      if (!symmetric) return Math.min(steps, Math.floor(f(f(v - least) * inverse) + 0.5))
      if (bits === 4) return Math.min(15, Math.floor(f(v * inverse) + 8.5))
      return Math.sign(v) * Math.floor(Math.abs(f(v * inverse)) + 0.5) + 128
    }
    const scale = roundToFloat16(exact)
    const offset = symmetric ? -(2 ** (bits - 1)) * scale : roundToFloat16(least)
    result.scales.push(scale)
    result.offsets.push(offset)
    for (const [i, v] of own.entries()) {
      result.numbers.push(number(v))
      result.values[first + i] = number(v) * scale + offset
    }
  }
  return result
}

/** What the bytes of a packed weight of so many values say. */
export function unpacked(bytes: ArrayBuffer, size: number, format: WeightFormat): Omit<Quantized, 'values'> {
  const { bits, group, symmetric } = format
  const words = new Uint32Array(bytes)
  const perWord = 32 / bits
  const numbers = Array.from({ length: size }, (_, i) => {
    const t = i % perWord
    return (words[Math.floor(i / perWord)] >>> ((t % 2) * 16 + (t >> 1) * bits)) & (2 ** bits - 1)
  })
  const halves = new Uint16Array(bytes, numberBytes(format, size))
  const groups = Array.from({ length: size / group }, (_, i) => i)
  const scales = groups.map((i) => halfValue(halves[symmetric ? i : 2 * i]))
  const offsets = groups.map((i) => (symmetric ? -(2 ** (bits - 1)) * scales[i] : halfValue(halves[2 * i + 1])))
  return { numbers, scales, offsets }
}

export function halfValue(half: number): number {
  const [exponent, fraction] = [(half >> 10) & 31, (half & 1023) / 1024]
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction
  return half & 0x8000 ? -size : size
}

/** A weight [out, width] of few bits on the device, as it is loaded; free it. */
export async function packedWeight(
  device: Device,
  values: Float32Array<ArrayBuffer>,
  [out, width]: readonly [number, number],
  format: WeightFormat,
): Promise<Weights> {
  const stored = writeSafetensors({ 'w.weight': { dtype: 'F32', shape: [out, width], data: values } })
  const checkpoint = await openCheckpoint(memorySource(new Map([['model.safetensors', stored]])), '', 'model')
  const parameters = new Parameters().of(0).linear('w', out, width, false)
  return loadWeights(device, checkpoint, quantizedParameters(parameters, format, 'a test'))
}
