import { describe, expect, it } from 'vitest'
import { chooseTile } from '../../src/runtime/ops/linear.ts'
import { chooseMatrixTile } from '../../src/runtime/ops/matrix_linear.ts'
import { attention } from '../../src/wgsl/attention.ts'
import { attentionQuads } from '../../src/wgsl/attention_quads.ts'
import { convert } from '../../src/wgsl/convert.ts'
import * as elementwise from '../../src/wgsl/elementwise.ts'
import { groupApply, groupFactors, groupMoments } from '../../src/wgsl/group_norm.ts'
import * as layout from '../../src/wgsl/layout.ts'
import { matmul, matmulName } from '../../src/wgsl/matmul.ts'
import { matrixAttention } from '../../src/wgsl/matrix/attention.ts'
import { matrixLinear } from '../../src/wgsl/matrix/linear.ts'
import { mergeAttention } from '../../src/wgsl/merge_attention.ts'
import { norm } from '../../src/wgsl/norm.ts'
import { qkNorm } from '../../src/wgsl/qk_norm.ts'
import { random } from '../../src/wgsl/random.ts'
import { rescale } from '../../src/wgsl/rescale.ts'
import { copyRows } from '../../src/wgsl/window.ts'
import { testDevice } from '../support/device.ts'
import { CPU, epilogues, FULL, GPU, PLAIN, variants } from './variants.ts'

const F32 = { a: 'f32', b: 'f32', y: 'f32' } as const
const F16 = { a: 'f16', b: 'f16', y: 'f32' } as const

/** The text of a kernel as a diff shows it best: no indentation, no empty lines. */
const tidy = (code: string): string => code.replace(/^\s+/gm, '')

describe('generated text', () => {
  const small = { tm: 2, tn: 2, lx: 4, ly: 1, rolled: false, quads: false } as const
  it.each<[string, string]>([
    ['linear.small', matmul({ rows: 'matrix', stored: F32, tile: small, vec: 4, epilogue: FULL })],
    [
      'linear.quads',
      matmul({ rows: 'matrix', stored: F32, tile: { ...small, rolled: true, quads: true }, vec: 4, epilogue: PLAIN }),
    ],
    ['linear.f16', matmul({ rows: 'matrix', stored: F16, tile: small, vec: 4, epilogue: PLAIN })],
    ['conv2d.small', matmul({ rows: 'window', stored: F32, tile: small, vec: 1, epilogue: { ...PLAIN, bias: true } })],
    [
      'attention.small',
      attention({ stored: 'f32', rows: 1, columns: 2, workgroup: 64, vec: 4, bias: true, mask: true, lse: true }),
    ],
    [
      'attention.quads',
      attentionQuads({
        stored: 'f32',
        rows: 4,
        columns: 1,
        workgroup: 'quad',
        vec: 4,
        bias: false,
        mask: true,
        lse: false,
      }),
    ],
    [
      'layer_norm',
      norm({
        kind: 'layer',
        workgroup: 4,
        stored: { x: 'f32', y: 'f32' },
        weight: true,
        bias: true,
        modulation: 'shift and scale',
      }),
    ],
    [
      'rms_norm',
      norm({
        kind: 'rms',
        workgroup: 128,
        stored: { x: 'f32', y: 'f16' },
        weight: true,
        bias: false,
        modulation: undefined,
      }),
    ],
    ['qk_norm', qkNorm({ kind: 'layer', workgroup: 64, stored: { x: 'f32', y: 'f16' }, rotary: true })],
    [
      'matrix_linear',
      matrixLinear({
        rows: 'matrix',
        y: 'f16',
        weight: 'f16',
        tile: chooseMatrixTile(4096, 4096, 49_152),
        epilogue: FULL,
        ragged: true,
      }),
    ],
    [
      'matrix_attention',
      matrixAttention({ dim: 88, tile: { groups: 4, sharing: 2 }, mask: true, lse: true, alone: true }),
    ],
    ['random', random('f16', 64)],
    ['rescale', rescale(64)],
    ['group_norm_moments', groupMoments(4)],
    ['group_norm_factors', groupFactors(16)],
    ['group_norm_apply', groupApply(true, 'f16', 16)],
    ['merge_attention', mergeAttention({ a: 'f32', b: 'f16', out: 'f32', vec: 4, workgroup: 64 })],
    ['copy_rows', copyRows(16, 64)],
    ['copy_rows.f16', copyRows(2, 16)],
    ['combine', elementwise.combine(3, 16)],
    ['activate.gelu', elementwise.activate('gelu', 16)],
    ['patchify', layout.patchify(16)],
    ['convert', convert('BF16', 'f32', 'window', 64)],
    ['convert.columns', convert('BF16', 'f16', 'columns', 64)],
  ])('of %s is the text that was reviewed', async (name, code) => {
    await expect(`${tidy(code)}\n`).toMatchFileSnapshot(`__snapshots__/${name}.wgsl`)
  })
})

/** Names say all that a text depends on: two texts under one name would hand out a wrong pipeline. */
it('gives every matmul of its own a name of its own', () => {
  const texts = new Map<string, string>()
  for (const rows of ['matrix', 'window'] as const)
    for (const target of [GPU, CPU, { ...CPU, quads: false }])
      for (const epilogue of epilogues())
        for (const [m, n, few] of [
          [1, 1, true],
          [3, 20, false],
          [200, 300, true],
          [200, 300, false],
        ] as const)
          for (const stored of [F32, F16])
            for (const vec of [1, 4] as const) {
              const parameters = { rows, stored, tile: chooseTile(target, m, n, few), vec, epilogue }
              const text = matmul(parameters)
              expect(texts.get(matmulName(parameters)) ?? text).toBe(text)
              texts.set(matmulName(parameters), text)
            }
  expect(new Set(texts.values()).size).toBe(texts.size)
})

/**
 * The front end checks types, bindings and uniformity; a pipeline of each would take minutes on a CPU. Variants in f16
 * are checked where there is f16: test/runtimes/deno.
 */
describe('every variant that ops can generate is valid WGSL', () => {
  it.each(Object.entries(variants('f32', true)))('%s', async (_, all) => {
    const { gpu } = await testDevice()
    const texts = new Map(all.map(([name, code]) => [code, name]))
    const faults = await Promise.all(
      [...texts].map(async ([code, name]) => {
        gpu.pushErrorScope('validation')
        gpu.createShaderModule({ code })
        const error = await gpu.popErrorScope()
        return error ? `${name}: ${error.message}` : ''
      }),
    )
    expect(faults.filter(Boolean)).toEqual([])
  })
})
