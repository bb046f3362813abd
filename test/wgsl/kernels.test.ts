import { describe, expect, it } from 'vitest'
import type { KernelTarget } from '../../src/runtime/kernel.ts'
import { chooseTile } from '../../src/runtime/ops/linear.ts'
import type { Activation } from '../../src/wgsl/activations.ts'
import { attention, attentionName } from '../../src/wgsl/attention.ts'
import { attentionQuads } from '../../src/wgsl/attention_quads.ts'
import { convert } from '../../src/wgsl/convert.ts'
import * as elementwise from '../../src/wgsl/elementwise.ts'
import { groupApply, groupStatistics } from '../../src/wgsl/group_norm.ts'
import * as layout from '../../src/wgsl/layout.ts'
import { matmul, matmulName } from '../../src/wgsl/matmul.ts'
import { norm, normName } from '../../src/wgsl/norm.ts'
import type { Epilogue } from '../../src/wgsl/tile/epilogue.ts'
import { testDevice } from '../support/device.ts'

const GPU: KernelTarget = { tier: 'f32', software: false, quads: true }
const CPU: KernelTarget = { tier: 'f32', software: true, quads: true }
const PLAIN: Epilogue = { bias: false, activation: 'none', multiply: false, gate: false, residual: false }
const FULL: Epilogue = { bias: true, activation: 'gelu_tanh', multiply: true, gate: true, residual: true }

/** The text of a kernel as a diff shows it best: no indentation, no empty lines. */
const tidy = (code: string): string => code.replace(/^\s+/gm, '')

describe('generated text', () => {
  const small = { tm: 2, tn: 2, lx: 4, ly: 1, rolled: false, quads: false } as const
  it.each<[string, string]>([
    ['linear.small', matmul({ rows: 'matrix', tile: small, vec: 4, epilogue: FULL })],
    [
      'linear.quads',
      matmul({ rows: 'matrix', tile: { ...small, rolled: true, quads: true }, vec: 4, epilogue: PLAIN }),
    ],
    ['conv2d.small', matmul({ rows: 'window', tile: small, vec: 1, epilogue: { ...PLAIN, bias: true } })],
    ['attention.small', attention({ rows: 1, columns: 2, workgroup: 64, vec: 4, bias: true, mask: true, lse: true })],
    [
      'attention.quads',
      attentionQuads({ rows: 4, columns: 1, workgroup: 'quad', vec: 4, bias: false, mask: true, lse: false }),
    ],
    ['layer_norm', norm({ kind: 'layer', workgroup: 4, weight: true, bias: true, modulation: true })],
    ['rms_norm', norm({ kind: 'rms', workgroup: 128, weight: true, bias: false, modulation: false })],
    ['group_norm_apply', groupApply(true, 16)],
    ['combine', elementwise.combine(3, 16)],
    ['patchify', layout.patchify(16)],
    ['convert', convert('BF16', 'window', 64)],
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
        for (const [m, n] of [
          [1, 1],
          [3, 20],
          [200, 300],
        ])
          for (const vec of [1, 4] as const) {
            const parameters = { rows, tile: chooseTile(target, m, n), vec, epilogue }
            const text = matmul(parameters)
            expect(texts.get(matmulName(parameters)) ?? text).toBe(text)
            texts.set(matmulName(parameters), text)
          }
  expect(new Set(texts.values()).size).toBe(texts.size)
})

function* epilogues(): Generator<Epilogue> {
  const activations: Activation[] = ['none', 'gelu_tanh', 'silu', 'relu']
  for (const activation of activations)
    for (let bits = 0; bits < 16; bits++)
      yield { activation, bias: !!(bits & 1), multiply: !!(bits & 2), gate: !!(bits & 4), residual: !!(bits & 8) }
}

/** The front end checks types, bindings and uniformity; a pipeline of each would take minutes on a CPU. */
describe('every variant that ops can generate is valid WGSL', () => {
  const matmuls: [string, string][] = []
  for (const rows of ['matrix', 'window'] as const)
    for (const vec of [1, 4] as const)
      for (const target of [GPU, CPU, { ...CPU, quads: false }])
        for (const [m, n] of [
          [1, 1],
          [1, 9],
          [6, 3],
          [500, 500],
        ]) {
          for (const epilogue of m === 1 ? epilogues() : [PLAIN, FULL]) {
            const parameters = { rows, tile: chooseTile(target, m, n), vec, epilogue }
            matmuls.push([matmulName(parameters), matmul(parameters)])
          }
        }
  const attentions: [string, string][] = []
  for (let bits = 0; bits < 16; bits++) {
    const parts = { bias: !!(bits & 1), mask: !!(bits & 2), lse: !!(bits & 4), vec: bits & 8 ? 4 : 1 } as const
    for (const [rows, columns] of [
      [1, 128],
      [2, 18],
      [4, 1],
    ]) {
      attentions.push([
        attentionName({ rows, columns, workgroup: 64, ...parts }),
        attention({ rows, columns, workgroup: 64, ...parts }),
      ])
    }
    for (const [rows, columns] of [
      [8, 2],
      [4, 40],
    ]) {
      const parameters = { rows, columns, workgroup: 'quad', ...parts } as const
      attentions.push([attentionName(parameters), attentionQuads(parameters)])
    }
  }
  const norms: [string, string][] = []
  for (const kind of ['layer', 'rms'] as const)
    for (const workgroup of [4, 128])
      for (let bits = 0; bits < 8; bits++) {
        const parameters = { kind, workgroup, weight: !!(bits & 1), bias: !!(bits & 2), modulation: !!(bits & 4) }
        norms.push([normName(parameters), norm(parameters)])
      }
  const others: [string, string][] = [4, 128].map((w) => [`statistics ${w}`, groupStatistics(w)])
  for (const w of [16, 64]) {
    for (const silu of [true, false]) others.push([`apply ${silu}`, groupApply(silu, w)])
    for (let inputs = 1; inputs <= 5; inputs++) others.push([`combine ${inputs}`, elementwise.combine(inputs, w)])
    for (const name of ['silu', 'relu', 'gelu_tanh'] as const) others.push([name, elementwise.activate(name, w)])
    others.push(['guide', elementwise.guide(w)])
    for (const [name, text] of Object.entries(layout)) others.push([name, text(w)])
    for (const type of ['F32', 'F16', 'BF16'] as const)
      for (const order of ['rows', 'window'] as const) others.push([`${type} ${order}`, convert(type, order, w)])
  }

  it.each([
    ['matmul', matmuls],
    ['attention', attentions],
    ['norm', norms],
    ['the other kernels', others],
  ])('%s', async (_, variants) => {
    const { gpu } = await testDevice()
    const texts = new Map(variants.map(([name, code]) => [code, name]))
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
