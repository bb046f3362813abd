// Matmul through workgroup memory: y [m, n] = epilogue(a [m, k] · b [n, k]ᵀ), and convolution as the same with windows for rows.
// Tiers: f32 and f16, for GPUs; a CPU pays more for barriers than they save. Operands are f32 or f16, b of few bits too, sums f32.
// Bindings: p, a, b, [bias], [multiply], [gate], [residual], y. Needs a depth that four divides. Speed: not measured yet
// (webdit bench kernels --tier f32).
//
// A turn of a thread is 16 loads of four values from workgroup memory for 256 multiply-adds (side 8): the plain kernel has as many
// from the cache of the core, which is slower. What the next turn needs is asked for before this one's products.

import { ONCE } from '../matrix/shape.ts'
import type { WeightFormat } from '../quantized/format.ts'
import { arrayOf, enableStored, type Stored } from '../stored.ts'
import { bindings, entry, uniformBlock, unroll } from '../text.ts'
import {
  EPILOGUE_FIELDS,
  type Epilogue,
  epilogueBindings,
  epilogueFunctions,
  epilogueName,
  storeTile,
} from '../tile/epilogue.ts'
import { matrixOperand, type OperandPlace, storedName } from './operand.ts'
import { ACROSS, extentOf, quadsOf, type StagedTile, stagedTileName, strideOf } from './shape.ts'
import { windowOperand } from './window.ts'

export interface StagedParameters {
  /** Rows of a matrix (linear), or windows of a picture (conv2d). */
  readonly rows: 'matrix' | 'window'
  readonly stored: { readonly a: Stored; readonly b: Stored | WeightFormat; readonly y: Stored }
  readonly tile: StagedTile
  readonly epilogue: Epilogue
}

/** Uniform fields of a picture, after the sizes of the product. Channels are counted in fours. */
const WINDOW_FIELDS = [
  ...['channels', 'height', 'width', 'outHeight', 'outWidth', 'window', 'stride', 'pad', 'enlarge', 'above'],
]

export const stagedName = ({ rows, stored, tile, epilogue }: StagedParameters): string =>
  `${rows === 'matrix' ? 'linear' : 'conv2d'}.staged.${stored.a}*${storedName(stored.b)}=${stored.y}.${stagedTileName(tile)}.${epilogueName(epilogue)}`

export function stagedMatmul({ rows, stored, tile, epilogue }: StagedParameters): string {
  const { side } = tile
  const [extent, stride] = [extentOf(tile), strideOf(tile)]
  const left: OperandPlace = { name: 'a', tile, first: `workgroup.y * ${extent}u`, bound: 'p.m' }
  const right: OperandPlace = { name: 'b', tile, first: `workgroup.x * ${extent}u`, bound: 'p.n' }
  const a = rows === 'matrix' ? matrixOperand(left, stored.a) : windowOperand(left, stored.a)
  const b = matrixOperand(right, stored.b)
  const scales = typeof stored.b === 'string' ? [] : ['scales']
  const types = [stored.a, stored.b, stored.y].filter((type) => typeof type === 'string')
  const product = (i: number, j: number): string =>
    unroll(4, (c) => `c${i}_${j} = fma(a${i}.${'xyzw'[c]}, b.${'xyzw'[c]}, c${i}_${j});`)
  return `${enableStored(...types)}
${uniformBlock(['m', 'n', 'k', ...(rows === 'window' ? WINDOW_FIELDS : []), ...scales, ...EPILOGUE_FIELDS, 'zero'])}
${bindings(['a', a.array], ['b', b.array], ...epilogueBindings(epilogue), ['y!', arrayOf(stored.y)])}
${epilogueFunctions(epilogue)}${b.functions}
var<workgroup> tile_a: array<vec4f, ${extent * stride}>;
var<workgroup> tile_b: array<vec4f, ${extent * stride}>;
${entry(ACROSS, ACROSS)} {
  let thread = local.y * ${ACROSS}u + local.x;
  let m0 = (workgroup.y * ${ACROSS}u + local.y) * ${side}u;
  let n0 = workgroup.x * ${extent}u + local.x;
  ${unroll(side, (i) => unroll(side, (j) => `var c${i}_${j} = 0.0;`))}
  ${a.place}
  ${b.place}
  ${a.read('0u')}${b.read('0u')}
  for (var k = 0u; k < p.k; k += ${quadsOf(tile)}u) { ${ONCE} {
    workgroupBarrier();
    ${a.write}${b.write}
    workgroupBarrier();
    // After the last, the last again.
    let next = select(k, k + ${quadsOf(tile)}u, k + ${quadsOf(tile)}u < p.k);
    ${a.read('next')}${b.read('next')}
    ${unroll(
      quadsOf(tile),
      (q) => `{
      ${unroll(side, (i) => `let a${i} = tile_a[(local.y * ${side}u + ${i}u) * ${stride}u + ${q}u];`)}
      ${unroll(side, (j) => `{ let b = tile_b[(local.x + ${j * ACROSS}u) * ${stride}u + ${q}u]; ${unroll(side, (i) => product(i, j))} }`)}
    }`,
    )}
  } default: { return; } } }
  ${storeTile(epilogue, { tm: side, tn: side, lx: ACROSS, ly: ACROSS, rolled: false, quads: false }, stored.y)}
}`
}
