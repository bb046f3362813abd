import type { KernelTarget } from '../../src/runtime/kernel.ts'
import { chooseTile } from '../../src/runtime/ops/linear.ts'
import type { Activation } from '../../src/wgsl/activations.ts'
import { attention, attentionName } from '../../src/wgsl/attention.ts'
import { attentionQuads } from '../../src/wgsl/attention_quads.ts'
import * as blend from '../../src/wgsl/blend.ts'
import { clamp } from '../../src/wgsl/clamp.ts'
import { convert, convertName } from '../../src/wgsl/convert.ts'
import * as elementwise from '../../src/wgsl/elementwise.ts'
import { fewRows, fewRowsName } from '../../src/wgsl/few_rows.ts'
import { groupApply, groupApplyName, groupFactors, groupMoments, groupStatistics } from '../../src/wgsl/group_norm.ts'
import * as layout from '../../src/wgsl/layout.ts'
import { type MatmulParameters, matmul, matmulName } from '../../src/wgsl/matmul.ts'
import { mergeAttention, mergeAttentionName } from '../../src/wgsl/merge_attention.ts'
import { norm, normName } from '../../src/wgsl/norm.ts'
import { notFinite } from '../../src/wgsl/not_finite.ts'
import { vectorPeak } from '../../src/wgsl/peak.ts'
import { qkNorm, qkNormName } from '../../src/wgsl/qk_norm.ts'
import type { WeightFormat } from '../../src/wgsl/quantized/format.ts'
import { quantize, quantizeName } from '../../src/wgsl/quantized/quantize.ts'
import { random, randomName, randomNumbers, randomNumbersName } from '../../src/wgsl/random.ts'
import { rescale } from '../../src/wgsl/rescale.ts'
import { divideRows, rowSoftmax } from '../../src/wgsl/row_softmax.ts'
import { stagedMatmul, stagedName } from '../../src/wgsl/staged/matmul.ts'
import type { StagedTile } from '../../src/wgsl/staged/shape.ts'
import type { Stored } from '../../src/wgsl/stored.ts'
import type { Epilogue } from '../../src/wgsl/tile/epilogue.ts'
import { type CopyBytes, copyRows, copyRowsName } from '../../src/wgsl/window.ts'

/** A kernel's name and text. */
export type Variant = [name: string, code: string]

export const GPU: KernelTarget = { tier: 'f32', software: false, quads: true }
export const CPU: KernelTarget = { tier: 'f32', software: true, quads: true }
export const PLAIN: Epilogue = { bias: false, activation: 'none', multiply: false, gate: false, residual: false }
export const FULL: Epilogue = { bias: true, activation: 'gelu_tanh', multiply: true, gate: true, residual: true }

export function* epilogues(): Generator<Epilogue> {
  const activations: Activation[] = ['none', 'gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu', 'tanh']
  for (const activation of activations)
    for (let bits = 0; bits < 16; bits++)
      yield { activation, bias: !!(bits & 1), multiply: !!(bits & 2), gate: !!(bits & 4), residual: !!(bits & 8) }
}

/** The texts that ops can generate where operands are stored so; with quads only where the device has subgroups. */
export function variants(stored: Stored, quads: boolean): Record<string, Variant[]> {
  return {
    matmul: matmuls(stored, quads),
    quantized: quantizedWeights(stored, quads),
    staged: stagedMatmuls(stored),
    attention: attentions(stored, quads),
    norm: norms(stored),
    merge: merges(stored),
    copy: copies(stored),
    other: others(stored),
  }
}

function matmuls(operand: Stored, quads: boolean): Variant[] {
  const targets = [GPU, { ...CPU, quads: false }, ...(quads ? [CPU] : [])]
  const all: Variant[] = []
  const add = (parameters: MatmulParameters) => all.push([matmulName(parameters), matmul(parameters)])
  for (const rows of ['matrix', 'window'] as const)
    for (const vec of [1, 4] as const)
      for (const target of targets)
        for (const [m, n, few] of [
          [1, 1, false],
          [1, 9, false],
          [6, 3, false],
          [500, 500, true],
          [500, 500, false],
        ] as const) {
          const tile = chooseTile(target, m, n, few)
          // Epilogues are the same text whatever the operands are.
          for (const epilogue of m === 1 && operand === 'f32' ? epilogues() : [PLAIN, FULL]) {
            add({ rows, stored: { a: operand, b: operand, y: operand }, tile, vec, epilogue })
          }
          if (operand === 'f32') continue
          // The residual stream goes in and comes out as f32.
          for (const [a, y] of [
            ['f32', operand],
            [operand, 'f32'],
            ['f32', 'f32'],
          ] as const) {
            add({ rows, stored: { a, b: operand, y }, tile, vec, epilogue: FULL })
          }
        }
  return all
}

/** Matmuls of GPUs through workgroup memory. */
function stagedMatmuls(b: Stored): Variant[] {
  const all: Variant[] = []
  const tiles: StagedTile[] = [
    { side: 8, depth: 16 },
    { side: 8, depth: 8 },
    { side: 4, depth: 16 },
  ]
  for (const tile of tiles)
    for (const epilogue of [PLAIN, FULL])
      for (const a of new Set(['f32', b] as const)) {
        const parts = { stored: { a, b, y: b }, tile, epilogue } as const
        for (const rows of ['matrix', 'window'] as const) {
          const parameters = { ...parts, rows }
          all.push([stagedName(parameters), stagedMatmul(parameters)])
        }
        for (const format of FORMATS) {
          const parameters = { ...parts, rows: 'matrix', stored: { a, b: format, y: b } } as const
          all.push([stagedName(parameters), stagedMatmul(parameters)])
        }
      }
  return all
}

const FORMATS: readonly WeightFormat[] = [
  { bits: 4, group: 32, symmetric: true },
  { bits: 4, group: 64, symmetric: false },
  { bits: 8, group: 128, symmetric: true },
  { bits: 8, group: 32, symmetric: false },
]

/** Loading of weights of few bits, linear with them, and that of few rows. */
function quantizedWeights(stored: Stored, quads: boolean): Variant[] {
  const all: Variant[] = [[randomNumbersName(64), randomNumbers(64)]]
  const few = (weight: WeightFormat | Stored, rows: number) => {
    for (const a of new Set(['f32', stored] as const))
      for (const epilogue of [PLAIN, FULL]) {
        const parameters = { stored: { a, y: stored }, weight, rows, epilogue }
        all.push([fewRowsName(parameters), fewRows(parameters)])
      }
  }
  for (const format of FORMATS) {
    for (const type of ['F32', 'F16', 'BF16'] as const)
      for (const to of ['packed', stored] as const)
        all.push([quantizeName(type, format, to, 64), quantize(type, format, to, 64)])
    for (const target of [GPU, { ...CPU, quads: false }, ...(quads ? [CPU] : [])])
      for (const [m, n] of [
        [1, 9],
        [500, 500],
      ]) {
        const tile = chooseTile(target, m, n, false)
        const parameters: MatmulParameters = {
          rows: 'matrix',
          stored: { a: stored, b: format, y: stored },
          tile,
          vec: 4,
          epilogue: FULL,
        }
        all.push([matmulName(parameters), matmul(parameters)])
      }
    for (const rows of [1, 16]) few(format, rows)
  }
  for (const rows of [1, 4]) few(stored, rows)
  return all
}

function attentions(stored: Stored, quads: boolean): Variant[] {
  const all: Variant[] = []
  for (let bits = 0; bits < 16; bits++) {
    const parts = { stored, bias: !!(bits & 1), mask: !!(bits & 2), lse: !!(bits & 4), vec: bits & 8 ? 4 : 1 } as const
    for (const [rows, columns] of [
      [1, 128],
      [2, 18],
      [4, 1],
    ]) {
      const parameters = { ...parts, rows, columns, workgroup: 64 }
      all.push([attentionName(parameters), attention(parameters)])
    }
    for (const [rows, columns] of quads
      ? [
          [8, 2],
          [4, 40],
        ]
      : []) {
      const parameters = { ...parts, rows, columns, workgroup: 'quad' } as const
      all.push([attentionName(parameters), attentionQuads(parameters)])
    }
  }
  return all
}

function norms(y: Stored): Variant[] {
  const all: Variant[] = []
  for (const kind of ['layer', 'rms'] as const)
    for (const x of y === 'f16' ? (['f32', 'f16'] as const) : (['f32'] as const))
      for (const workgroup of [4, 128])
        for (let bits = 0; bits < 4; bits++)
          for (const modulation of [undefined, 'shift', 'shift and scale'] as const) {
            const parts = { weight: !!(bits & 1), bias: !!(bits & 2), modulation }
            const parameters = { kind, workgroup, stored: { x, y }, ...parts }
            all.push([normName(parameters), norm(parameters)])
          }
  for (const x of y === 'f16' ? (['f32', 'f16'] as const) : (['f32'] as const))
    for (const workgroup of [16, 64])
      for (const rotary of [false, true])
        for (const kind of ['layer', 'rms'] as const) {
          const parameters = { kind, workgroup, stored: { x, y }, rotary }
          all.push([qkNormName(parameters), qkNorm(parameters)])
        }
  return all
}

function merges(b: Stored): Variant[] {
  const all: Variant[] = []
  for (const a of b === 'f16' ? (['f32', 'f16'] as const) : (['f32'] as const))
    for (const out of b === 'f16' ? (['f32', 'f16'] as const) : (['f32'] as const))
      for (const vec of [1, 4] as const)
        for (const workgroup of [16, 64]) {
          const parameters = { a, b, out, vec, workgroup }
          all.push([mergeAttentionName(parameters), mergeAttention(parameters)])
        }
  return all
}

function copies(stored: Stored): Variant[] {
  const sizes: CopyBytes[] = stored === 'f16' ? [2] : [4, 8, 16]
  return sizes.flatMap((bytes) => [16, 64].map((w): Variant => [copyRowsName(bytes, w), copyRows(bytes, w)]))
}

function others(stored: Stored): Variant[] {
  const all = [4, 128].flatMap((w): Variant[] => [
    [`statistics ${w}`, groupStatistics(w)],
    [`moments ${w}`, groupMoments(w)],
  ])
  for (const w of [16, 64]) {
    for (const silu of [true, false]) all.push([groupApplyName(silu, stored, w), groupApply(silu, stored, w)])
    for (let inputs = 1; inputs <= 5; inputs++) all.push([`combine ${inputs}`, elementwise.combine(inputs, w)])
    for (const name of ['silu', 'relu', 'gelu_tanh', 'gelu', 'quick_gelu', 'tanh'] as const)
      all.push([name, elementwise.activate(name, w)])
    all.push(['factors', groupFactors(w)])
    all.push(
      ['guide', elementwise.guide(w)],
      ['clamp', clamp(w)],
      ['rescale', rescale(w)],
      ['notFinite', notFinite(w)],
      [randomName(stored, w), random(stored, w)],
      [`row softmax ${w}`, rowSoftmax(stored, w)],
      ['divide rows', divideRows(stored, w)],
      ...[true, false].map((fused): Variant => [`peak ${fused}`, vectorPeak(stored, w, 4, fused)]),
      ['transpose', layout.transpose(w, stored)],
      ...(stored === 'f16' ? [['halve', elementwise.halve(w)] as Variant] : []),
    )
    const { gather, ...moves } = { ...layout, ...blend }
    for (const [name, text] of Object.entries(moves)) all.push([name, text(w)])
    all.push(['gather', gather(stored, w)])
    for (const type of ['F32', 'F16', 'BF16'] as const)
      for (const order of ['rows', 'window', 'columns'] as const)
        all.push([convertName(type, stored, order, w), convert(type, stored, order, w)])
  }
  return all
}
