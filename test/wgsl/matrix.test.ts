import { afterAll, describe, expect, it } from 'vitest'
import { create } from 'webgpu'
import { chooseMatrixTile, MATRIX_TILES } from '../../src/runtime/ops/matrix_linear.ts'
import { type WeightFormat, weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { matrixAttention, matrixAttentionName } from '../../src/wgsl/matrix/attention.ts'
import { attentionStorage, chooseAttentionTile, threadsOf } from '../../src/wgsl/matrix/attention_tile.ts'
import {
  type MatrixLinearParameters,
  matrixLinear,
  matrixLinearName,
  matrixLinearStorage,
} from '../../src/wgsl/matrix/linear.ts'
import { matrixPeak } from '../../src/wgsl/peak.ts'
import { epilogues, FULL, PLAIN, type Variant, variants } from './variants.ts'

// A device that computes nothing knows all of WGSL, subgroup matrices too, which no CPU has.
const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
const adapter = await gpu.requestAdapter()
const device = await adapter!.requestDevice({
  requiredFeatures: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix' as GPUFeatureName],
})

afterAll(() => {
  device.destroy()
  // Held till here: dawn.node crashes when a GPU is collected before its devices.
  expect(gpu).toBeDefined()
})

const FLAGS = [true, false]
const FORMATS = ['int4_asym_g64', 'int4_sym_g32', 'int8_asym_g64', 'int8_sym_g128'].map(
  (name) => weightFormat(name) as WeightFormat,
)
/** Workgroup memory of NVIDIA cards, and what every WebGPU device has. */
const STORAGE = [49_152, 16_384]

function linears(): Variant[] {
  const of = (some: Omit<MatrixLinearParameters, 'rows'>, rows: 'matrix' | 'window' = 'matrix'): Variant => {
    const parameters = { rows, ...some }
    return [matrixLinearName(parameters), matrixLinear(parameters)]
  }
  return [
    ['matrix peak', matrixPeak()],
    ...[...epilogues()].map((epilogue) =>
      of({ y: 'f32', weight: 'f16', tile: MATRIX_TILES[2], epilogue, ragged: false }),
    ),
    ...MATRIX_TILES.flatMap((tile) =>
      [PLAIN, FULL].flatMap((epilogue) =>
        FLAGS.flatMap((ragged) => {
          const some = { y: 'f16', weight: 'f16', tile, epilogue, ragged } as const
          return ragged ? [of(some)] : [of(some), of(some, 'window')]
        }),
      ),
    ),
    ...MATRIX_TILES.flatMap((tile) =>
      FORMATS.flatMap((weight) => FLAGS.map((ragged) => of({ y: 'f16', weight, tile, epilogue: PLAIN, ragged }))),
    ),
  ]
}

function attentions(): Variant[] {
  return [32, 40, 64, 72, 80, 88, 96, 128, 160].flatMap((dim) =>
    STORAGE.map((storage) => chooseAttentionTile(dim, storage))
      .filter((tile) => tile !== undefined)
      .flatMap((tile) =>
        FLAGS.map((all): Variant => {
          const parameters = { dim, tile, mask: all, lse: all, alone: !all }
          return [matrixAttentionName(parameters), matrixAttention(parameters)]
        }),
      ),
  )
}

describe('kernels that no CPU of the tests computes are valid WGSL', () => {
  it.each([
    ['linear on matrix units', linears],
    ['attention on matrix units', attentions],
    ['all others in f16', () => Object.values(variants('f16', true)).flat()],
  ])('%s', async (_, all) => {
    const texts = new Map(all().map(([name, code]) => [code, name]))
    const faults = await Promise.all(
      [...texts].map(async ([code, name]) => {
        device.pushErrorScope('validation')
        device.createShaderModule({ code })
        const error = await device.popErrorScope()
        return error ? `${name}: ${error.message}` : ''
      }),
    )
    expect(faults.filter(Boolean)).toEqual([])
    expect(texts.size).toBeGreaterThan(10)
  })
})

it.each(STORAGE)('no kernel takes more than %i bytes of workgroup memory', (storage) => {
  for (const rows of [4096, 300, 20]) {
    const tile = chooseMatrixTile(rows, 4096, storage)
    expect(matrixLinearStorage(tile), JSON.stringify(tile)).toBeLessThanOrEqual(storage)
    const code = matrixLinear({ rows: 'matrix', y: 'f32', weight: 'f16', tile, epilogue: FULL, ragged: true })
    expect(workgroupBytes(code)).toBe(matrixLinearStorage(tile))
  }
  for (let dim = 8; dim <= 160; dim += 8) {
    const tile = chooseAttentionTile(dim, storage)
    if (!tile) continue
    const code = matrixAttention({ dim, tile, mask: true, lse: true, alone: true })
    expect(workgroupBytes(code), `${dim}`).toBe(attentionStorage(dim, tile))
    expect(attentionStorage(dim, tile)).toBeLessThanOrEqual(storage)
    expect(threadsOf(tile) % 128).toBe(0)
  }
})

/** Matrices are loaded from places that are multiples of 16 bytes, whatever arrays come before. */
function workgroupBytes(code: string): number {
  const sizes = { f32: 4, u32: 4, vec4f: 16, 'vec4<f16>': 8 }
  const arrays = [...code.matchAll(/var<workgroup> (\w+): array<(.+), (\d+)>;/g)]
  return arrays.reduce((bytes, [, name, type, count]) => {
    const size = sizes[type as keyof typeof sizes] * Number(count)
    expect(size % 16, name).toBe(0)
    return bytes + size
  }, 0)
}
