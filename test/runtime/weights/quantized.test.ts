import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { Device } from '../../../src/runtime/device.ts'
import { type Checkpoint, openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { type LoadOptions, loadWeights } from '../../../src/runtime/weights/load.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../../src/runtime/weights/parameters.ts'
import { quantizedParameters } from '../../../src/runtime/weights/quantized.ts'
import { type HostTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors_writer.ts'
import { type WeightFormat, weightFormat } from '../../../src/runtime/weights/weight_formats.ts'
import { testDevice } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'
import { halfValue, quantized, unpacked } from '../../support/quantized.ts'
import { expectFailure } from './expect_failure.ts'

const FORMATS = ['int4_sym_g32', 'int4_asym_g64', 'int8_sym_g64', 'int8_asym_g32'] as const
const formatOf = (name: string) => weightFormat(name) as WeightFormat

/** Random weights of which some groups are odd: all zero, all alike, very small, of one sign. */
function weights(out: number, width: number): Float32Array<ArrayBuffer> {
  const values = random(out * width, 0.1)
  values.fill(0, width, 2 * width)
  values.fill(0.02, 2 * width, 3 * width)
  for (let i = 3 * width; i < 4 * width; i++) values[i] *= 1e-4
  for (let i = 4 * width; i < 5 * width; i++) values[i] = Math.abs(values[i])
  return values
}

const checkpointOf = (tensors: Record<string, HostTensor>): Promise<Checkpoint> =>
  openCheckpoint(memorySource(new Map([['model.safetensors', writeSafetensors(tensors)]])), '', 'model')

/** The bytes of the weight of layer w, loaded so. */
async function loaded(
  device: Device,
  stored: HostTensor,
  parameters: Parameters,
  format: WeightFormat,
  options: LoadOptions = {},
) {
  const checkpoint = await checkpointOf({ 'w.weight': stored })
  const all = await loadWeights(device, checkpoint, quantizedParameters(parameters, format, 'a test'), options)
  const tensor = all.tensor('w.weight')
  const bytes = await device.download(tensor.placement!.buffer, tensor.bytes)
  const total = all.bytes
  all.free()
  return { tensor, bytes, total }
}

const layer = (out: number, width: number, cut = {}) => new Parameters().of(0).linear('w', out, width, false, cut)

describe.each(FORMATS)('%s', (name) => {
  const format = formatOf(name)
  const [out, width] = [7, 192]

  it.each(['F32', 'F16', 'BF16'] as const)(
    'has the numbers and scales of the reference, of %s in chunks',
    async (dtype) => {
      const device = await testDevice()
      const data = weights(out, width)
      const words = new Uint32Array(data.buffer)
      const stored: HostTensor =
        dtype === 'F32'
          ? { dtype, shape: [out, width], data }
          : dtype === 'BF16'
            ? { dtype, shape: [out, width], data: Uint16Array.from(words, (word) => word >>> 16) }
            : // Any f16 up to 2: the exponent cut, the fraction kept.
              { dtype, shape: [out, width], data: Uint16Array.from(words, (word) => (word >>> 8) & 0xbfff) }
      const values =
        dtype === 'F32'
          ? data
          : dtype === 'BF16'
            ? new Float32Array(Uint32Array.from(stored.data as Uint16Array, (half) => half << 16).buffer)
            : Float32Array.from(stored.data as Uint16Array, halfValue)
      const { tensor, bytes, total } = await loaded(device, stored, layer(out, width), format, { chunkBytes: 1100 })
      const { values: _, ...expected } = quantized(values, format)
      expect(unpacked(bytes, out * width, format)).toEqual(expected)
      expect(tensor.shape).toEqual([out, width])
      expect(total).toBe(bytes.byteLength)
    },
  )
})

it.each([
  ['int4_sym_g32', 'Q4_0', 2],
  ['int4_asym_g32', 'Q4_1', 4],
  ['int8_sym_g32', 'Q8_0', 2],
] as const)('%s is %s of ggml', async (name, type, header) => {
  const file = JSON.parse(await readFile('test/fixtures/ggml/blocks.json', 'utf8'))
  const buffer = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
  const [values, blocks] = [buffer(file.values), buffer(file[type].blocks)]
  const data = new Float32Array(values.buffer)
  const format = formatOf(name)
  const stored: HostTensor = { dtype: 'F32', shape: [8, 32], data }
  const { bytes } = await loaded(await testDevice(), stored, layer(8, 32), format)
  const { numbers, scales, offsets } = unpacked(bytes, 256, format)
  const size = blocks.length / 8
  const expected = Array.from({ length: 256 }, (_, i) => {
    const at = (i >> 5) * size + header
    const t = i & 31
    // Q8_0 has whole numbers of either sign; Q4 the first 16 values of a block in the lower halves of its bytes.
    return format.bits === 8 ? ((blocks[at + t] << 24) >> 24) + 128 : (blocks[at + (t & 15)] >> (t >> 4 ? 4 : 0)) & 15
  })
  expect(numbers).toEqual(expected)
  const dequantized = new Float32Array(buffer(file[type].dequantized).buffer).map((v) => v + 0) // -0 is 0
  expect(Float32Array.from(numbers, (q, i) => q * scales[i >> 5] + offsets[i >> 5] + 0)).toEqual(dequantized)
})

describe('what cannot be in few bits', () => {
  const format = formatOf('int4')

  it.each(['int3', 'int4_g64', 'INT8', '', 'int8_sym_g48'])('refuses %j as a format', (name) => {
    expect(() => weightFormat(name)).toThrow(/is no format of weights/)
  })

  it('is a layer whose inputs are no whole groups', async () => {
    const refused = async () => quantizedParameters(layer(4, 96), format, 'transformer')
    await expectFailure(refused(), 'bad-argument', 'w.weight of transformer', '96 inputs', '64')
  })

  it('is a network without blocks of linear layers', async () => {
    const others = new Parameters().linear('embedder', 64, 64).conv('conv', 8, 64, 3)
    const refused = async () => quantizedParameters(others, format, 'vae')
    await expectFailure(refused(), 'bad-argument', 'vae', 'no blocks of linear layers')
  })
})
