import { expect, it } from 'vitest'
import { fewRows } from '../../src/wgsl/few_rows.ts'
import { matmul } from '../../src/wgsl/matmul.ts'
import { quantizedTile } from '../../src/wgsl/matrix/loader.ts'
import { packedBytes, type WeightFormat } from '../../src/wgsl/quantized/format.ts'
import { quantize } from '../../src/wgsl/quantized/quantize.ts'
import { PLAIN, variants } from './variants.ts'

const INT4: WeightFormat = { bits: 4, group: 64, symmetric: false }
const INT8: WeightFormat = { bits: 8, group: 32, symmetric: true }
const small = { tm: 2, tn: 2, lx: 4, ly: 1, rolled: false, quads: false } as const
const part = { operand: 'b', rows: 64, depth: 32, threads: 128, first: 'n0', bound: 'p.n' } as const
const tile = ({ functions, place, read, write }: ReturnType<typeof quantizedTile>) =>
  [functions, place, read('next'), write].join('\n')

it.each<[string, string]>([
  [
    'linear.int4',
    matmul({ rows: 'matrix', stored: { a: 'f16', b: INT4, y: 'f32' }, tile: small, vec: 4, epilogue: PLAIN }),
  ],
  [
    'linear.int8',
    matmul({ rows: 'matrix', stored: { a: 'f32', b: INT8, y: 'f32' }, tile: small, vec: 4, epilogue: PLAIN }),
  ],
  ['few_rows.int4', fewRows({ stored: { a: 'f16', y: 'f32' }, weight: INT4, rows: 2, epilogue: PLAIN })],
  ['quantize.int4', quantize('BF16', INT4, 'packed', 64)],
  ['quantize.int8.parts', quantize('F16', INT8, 'f16', 64)],
  ['matrix_tile.int4', tile(quantizedTile(part, INT4))],
  ['matrix_tile.int8', tile(quantizedTile(part, INT8))],
])('of %s is the text that was reviewed', async (name, code) => {
  await expect(`${code.replace(/^\s+/gm, '')}\n`).toMatchFileSnapshot(`__snapshots__/${name}.wgsl`)
})

/** Two texts under one name would hand out a wrong pipeline. */
it('gives every kernel of its own a name of its own', () => {
  const all = [...variants('f32', true).quantized, ...variants('f16', true).quantized]
  const texts = new Map<string, string>()
  for (const [name, code] of all) {
    expect(texts.get(name) ?? code, name).toBe(code)
    texts.set(name, code)
  }
  expect(new Set(texts.values()).size).toBe(texts.size)
})

it.each([
  [INT4, 64, 32 + 16],
  [INT4, 256, 128 + 16],
  [INT8, 320, 320 + 32],
  [{ ...INT8, bits: 4 }, 32, 16 + 16],
] as [WeightFormat, number, number][])(
  '%j of %i values are %i bytes with their scales, in whole loads',
  (format, values, bytes) => {
    expect(packedBytes(format, values)).toBe(bytes)
  },
)
