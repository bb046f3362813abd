// Norms and tables in f16, what f16 cannot hold, and weights as they are loaded.
import type { Device } from '../../../../src/runtime/device.ts'
import { gather, groupNorm, layerNorm, linear, qkNorm, rmsNorm } from '../../../../src/runtime/ops/index.ts'
import { Recorder } from '../../../../src/runtime/recorder.ts'
import { openCheckpoint } from '../../../../src/runtime/weights/checkpoint.ts'
import { loadWeights } from '../../../../src/runtime/weights/load.ts'
import { memorySource } from '../../../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../../../src/runtime/weights/parameters.ts'
import { type HostTensor, writeSafetensors } from '../../../../src/runtime/weights/safetensors_writer.ts'
import { roundToFloat16 } from '../../../../src/schedulers/half_rounding.ts'
import { random } from '../../../support/numbers.ts'
import { compared, Inputs, type Result } from './check.ts'

export async function* rows(device: Device): AsyncGenerator<Result> {
  for (const columns of [1, 3, 130, 320]) {
    yield normOf(device, 'layer', columns)
    yield normOf(device, 'rms', columns)
  }
  for (const type of ['f32', 'f16'] as const) yield qkNormOf(device, type)
  for (const channels of [8, 20]) yield groupNormOf(device, channels)
  yield table(device)
  yield saturated(device)
  yield* loaded(device)
}

async function normOf(device: Device, kind: 'layer' | 'rms', columns: number): Promise<Result> {
  const inputs = new Inputs(device)
  const x = inputs.of('f32', [2, 9, columns], 3)
  const mod = inputs.of('f32', [2, 2 * columns])
  const op = kind === 'layer' ? layerNorm : rmsNorm
  const modulation = { of: mod.tensor, shift: 0, scale: columns }
  const y = op(inputs.g, x.tensor, { eps: 1e-6, modulation, as: 'operand' })
  const expected = new Float64Array(18 * columns)
  for (let row = 0; row < 18; row++) {
    const values = x.values.subarray(row * columns, (row + 1) * columns)
    const mean = kind === 'layer' ? values.reduce((a, b) => a + b, 0) / columns : 0
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / columns
    for (let c = 0; c < columns; c++) {
      const modAt = Math.floor(row / 9) * 2 * columns + c
      const normed = (values[c] - mean) / Math.sqrt(variance + 1e-6)
      expected[row * columns + c] = normed * (1 + mod.values[modAt + columns]) + mod.values[modAt]
    }
  }
  return compared(`${kind} norm of ${columns}`, inputs.g, y, expected, 'f16')
}

/** Two heads of 12, the first token at the third place. */
async function qkNormOf(device: Device, type: 'f32' | 'f16'): Promise<Result> {
  const inputs = new Inputs(device)
  const [tokens, dim, first] = [5, 12, 2]
  const x = inputs.of(type, [2, tokens, 2 * dim], 3)
  const weight = inputs.of('f32', [dim])
  const [cos, sin] = [inputs.of('f32', [first + tokens, dim]), inputs.of('f32', [first + tokens, dim])]
  const rotary = { cos: cos.tensor, sin: sin.tensor, first }
  const y = qkNorm(inputs.g, x.tensor, { eps: 1e-6, weight: weight.tensor, rotary, as: 'operand' })
  const normed = Float64Array.from(x.values, (value, at) => {
    const head = x.values.subarray(at - (at % dim), at - (at % dim) + dim)
    const square = head.reduce((sum, v) => sum + v * v, 0) / dim
    return (value / Math.sqrt(square + 1e-6)) * weight.values[at % dim]
  })
  const expected = normed.map((value, at) => {
    const place = (first + (Math.floor(at / (2 * dim)) % tokens)) * dim + (at % dim)
    const turned = at % 2 === 0 ? -normed[at + 1] : normed[at - 1]
    return value * cos.values[place] + turned * sin.values[place]
  })
  return compared(`QK norm of ${type}`, inputs.g, y, expected, 'f16')
}

async function groupNormOf(device: Device, channels: number): Promise<Result> {
  const inputs = new Inputs(device)
  const [groups, pixels] = [4, 15]
  const x = inputs.of('f32', [2, 3, 5, channels], 3)
  const [weight, bias] = [inputs.of('f32', [channels]), inputs.of('f32', [channels])]
  const options = { groups, eps: 1e-6, weight: weight.tensor, bias: bias.tensor, silu: true, as: 'operand' } as const
  const y = groupNorm(inputs.g, x.tensor, options)
  const expected = new Float64Array(x.values.length)
  const inGroup = channels / groups
  for (let n = 0; n < 2; n++)
    for (let group = 0; group < groups; group++) {
      const at = Array.from({ length: pixels * inGroup }, (_, i) => {
        return (n * pixels + Math.floor(i / inGroup)) * channels + group * inGroup + (i % inGroup)
      })
      const mean = at.reduce((sum, i) => sum + x.values[i], 0) / at.length
      const variance = at.reduce((sum, i) => sum + (x.values[i] - mean) ** 2, 0) / at.length
      for (const i of at) {
        const v = ((x.values[i] - mean) / Math.sqrt(variance + 1e-6)) * weight.values[i % channels]
        const shifted = v + bias.values[i % channels]
        expected[i] = shifted / (1 + Math.exp(-shifted))
      }
    }
  return compared(`group norm of ${channels}`, inputs.g, y, expected, 'f16')
}

async function table(device: Device): Promise<Result> {
  const inputs = new Inputs(device)
  const rows = inputs.of('f16', [7, 5])
  const ids = [6, 0, 3, 3]
  const y = gather(inputs.g, rows.tensor, inputs.g.upload(Uint32Array.from(ids), [4]))
  const expected = Float32Array.from(ids.flatMap((id) => [...rows.values.subarray(id * 5, id * 5 + 5)]))
  return { ...(await compared('rows of a table', inputs.g, y, expected, 'f32')), limit: 0 }
}

/** What is greater than f16 holds becomes its greatest, not infinite. */
async function saturated(device: Device): Promise<Result> {
  const g = new Recorder(device)
  const [x, w] = [g.upload(Float32Array.of(3e5, -3e5, 2), [3, 1]), g.upload(Float32Array.of(1), [1, 1])]
  const y = linear(g, x, { weight: w }, { as: 'operand' })
  return { ...(await compared('overflow', g, y, [65504, -65504, 2], 'f16')), limit: 0 }
}

/** Every type that files hold, in both layouts, an odd number of values, chunk by chunk: the nearest f16, bit for bit. */
async function* loaded(device: Device): AsyncGenerator<Result> {
  const values = random(3 * 5 * 9, 2)
  values.set([7e4, -7e4, 0])
  const words = new Uint32Array(values.buffer)
  const bf16 = Uint16Array.from(words, (word) => word >>> 16)
  const wide = new Float32Array(Uint32Array.from(bf16, (half) => half << 16).buffer)
  for (const [dtype, data, held] of [
    ['F32', values, values],
    ['BF16', bf16, wide],
  ] as const)
    for (const layout of ['matrix', 'conv'] as const) {
      const shape = layout === 'matrix' ? [9, 15] : [3, 5, 3, 3]
      const parameters = new Parameters()
      if (layout === 'matrix') parameters.matrix('w.weight', 9, 15)
      else parameters.conv('w', 3, 5, 3)
      const tensors: Record<string, HostTensor> = { 'w.weight': { dtype, shape, data: data.slice() } }
      if (layout === 'conv') tensors['w.bias'] = { dtype: 'F32', shape: [3], data: new Float32Array(3) }
      const file = writeSafetensors(tensors)
      const source = memorySource(new Map([['model.safetensors', file]]))
      const checkpoint = await openCheckpoint(source, '', 'model')
      const weights = await loadWeights(device, checkpoint, parameters, { chunkBytes: 64 })
      const nearest = held.map((v) => Math.max(-65504, Math.min(65504, roundToFloat16(v))))
      const arranged = layout === 'matrix' ? nearest : nearest.map((_, at) => nearest[stored(at)])
      const g = new Recorder(device)
      const result = await compared(`weights ${dtype} ${layout}`, g, weights.tensor('w.weight'), arranged, 'f16')
      weights.free()
      yield { ...result, limit: 0 }
    }
}

/** Where [3, 5, 3, 3] has the value that [3, 3, 3, 5], channels last, has at `at`. */
function stored(at: number): number {
  const [channel, pixel, out] = [at % 5, Math.floor(at / 5) % 9, Math.floor(at / 45)]
  return (out * 5 + channel) * 9 + pixel
}
