// Linear on matrix units: y [m, n] = epilogue(a [m, k] · b [n, k]ᵀ), operands f16, sums f32, y f32 or f16. Tier: matrix, for
// subgroup matrices of 16 x 16 x 16 and subgroups of 32 threads. Bindings: p, a, b, [bias], [multiply], [gate], [residual], y.
// k is a multiple of 8, the values of a load of 16 bytes; rows, columns and depth beyond the operands are computed as zeros or
// as the last row, and not stored. Speed: 144 TFLOP/s on an H100; bench/RESULTS.md has what was tried.
import { arrayOf, type Stored } from '../stored.ts'
import { bindings, uniformBlock, unroll } from '../text.ts'
import {
  EPILOGUE_FIELDS,
  type Epilogue,
  epilogueBindings,
  epilogueFunctions,
  epilogueName,
  epilogueValue,
} from '../tile/epilogue.ts'
import { LANES, type MatrixTile, matrixTileName, subgroupsOf, UNIT } from './shape.ts'

export interface MatrixLinearParameters {
  readonly y: Stored
  readonly tile: MatrixTile
  readonly epilogue: Epilogue
}

export const matrixLinearName = ({ y, tile, epilogue }: MatrixLinearParameters): string =>
  `matrix_linear.${y}.${matrixTileName(tile)}.${epilogueName(epilogue)}`

/** Halves between rows of a tile in workgroup memory: a step of 16 bytes more, so that rows begin in other banks. */
const PAD = 8
/** Columns of a subgroup's sums that pass through workgroup memory at once, where threads can see them. */
const SLAB = 32
/** Values of a load. */
const VEC = 8
/** Tiles that are computed one after the other go down so many rows before the next column: they share what the cache has. */
const BAND = 8

/** Bytes of workgroup memory. */
export const matrixLinearStorage = (tile: MatrixTile): number =>
  2 * (tile.rows + tile.columns) * (tile.depth + PAD) +
  4 * subgroupsOf(tile) * UNIT * Math.min(SLAB, tile.subgroupColumns)

export function matrixLinear({ y, tile, epilogue }: MatrixLinearParameters): string {
  const { rows, columns, depth, subgroupRows, subgroupColumns } = tile
  const threads = subgroupsOf(tile) * LANES
  const [down, across] = [subgroupRows / UNIT, subgroupColumns / UNIT]
  const stride = depth + PAD
  const words = depth / VEC // of a row
  const loadsOf = (count: number) => (count * words) / threads
  const each = (count: number, code: (l: number) => string) => unroll(loadsOf(count), code)
  const place = (l: number) =>
    `let e${l} = local + ${l * threads}u; let row${l} = e${l} / ${words}u; let word${l} = e${l} % ${words}u;`
  const read = (operand: 'a' | 'b', l: number) => {
    const [first, bound] = operand === 'a' ? ['m0', 'p.m'] : ['n0', 'p.n']
    const at = `min(${first} + row${l}, ${bound} - 1u) * p.k + k + word${l}`
    return `${operand}${l} = select(vec4u(), ${operand}[select(0u, ${at}, k + word${l} < p.k)], k + word${l} < p.k);`
  }
  const write = (operand: 'a' | 'b', l: number) => {
    const name = operand === 'a' ? 'tileA' : 'tileB'
    return `{ let at = (row${l} * ${stride}u + word${l} * ${VEC}u) / 4u; ${name}[at] = bitcast<vec4<f16>>(${operand}${l}.xy); ${name}[at + 1u] = bitcast<vec4<f16>>(${operand}${l}.zw); }`
  }
  const both = (count: number, operand: 'a' | 'b', what: (operand: 'a' | 'b', l: number) => string) =>
    each(count, (l) => `{ ${place(l)} ${what(operand, l)} }`)
  const declare = (count: number, operand: 'a' | 'b') => each(count, (l) => `var ${operand}${l}: vec4u;`)
  const wide = Math.min(SLAB, subgroupColumns)
  const slab = UNIT * wide
  return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
${uniformBlock(['m', 'n', 'k', ...EPILOGUE_FIELDS])}
${bindings(['a', 'array<vec4u>'], ['b', 'array<vec4u>'], ...epilogueBindings(epilogue), ['y!', arrayOf(y)])}
${epilogueFunctions(epilogue)}
var<workgroup> tileA: array<vec4<f16>, ${(rows * stride) / 4}>;
var<workgroup> tileB: array<vec4<f16>, ${(columns * stride) / 4}>;
var<workgroup> slabs: array<f32, ${subgroupsOf(tile) * slab}>;
@compute @workgroup_size(${threads}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let order = workgroup.y * groups.x + workgroup.x;
  let band = order / (${BAND}u * groups.x);
  let bandRows = min(${BAND}u, groups.y - band * ${BAND}u);
  let inBand = order - band * ${BAND}u * groups.x;
  let m0 = (band * ${BAND}u + inBand % bandRows) * ${rows}u;
  let n0 = (inBand / bandRows) * ${columns}u;
  let lane = local % ${LANES}u;
  let subgroup = local / ${LANES}u;
  let subRow = (subgroup / ${columns / subgroupColumns}u) * ${subgroupRows}u;
  let subColumn = (subgroup % ${columns / subgroupColumns}u) * ${subgroupColumns}u;
  ${unroll(down, (i) => unroll(across, (j) => `var c${i}_${j}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`))}
  ${declare(rows, 'a')} ${declare(columns, 'b')}
  for (var k = 0u; k < p.k; k += ${words}u) {
    ${both(rows, 'a', read)} ${both(columns, 'b', read)}
    workgroupBarrier();
    ${both(rows, 'a', write)} ${both(columns, 'b', write)}
    workgroupBarrier();
    ${unroll(
      depth / UNIT,
      (d) => `{
      ${unroll(down, (i) => `let left${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${UNIT}, ${UNIT}>, row_major>(&tileA, ((subRow + ${i * UNIT}u) * ${stride}u + ${d * UNIT}u) / 4u, ${stride / 4}u);`)}
      ${unroll(
        across,
        (j) => `{
        let right = subgroupMatrixLoad<subgroup_matrix_right<f16, ${UNIT}, ${UNIT}>, col_major>(&tileB, ((subColumn + ${j * UNIT}u) * ${stride}u + ${d * UNIT}u) / 4u, ${stride / 4}u);
        ${unroll(down, (i) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(left${i}, right, c${i}_${j});`)}
      }`,
      )}
    }`,
    )}
  }
  let slab = subgroup * ${slab}u;
  ${unroll(down, (i) =>
    unroll(
      subgroupColumns / wide,
      (part) => `{
    workgroupBarrier();
    ${unroll(wide / UNIT, (j) => `subgroupMatrixStore<row_major>(&slabs, slab + ${j * UNIT}u, c${i}_${(part * wide) / UNIT + j}, ${wide}u);`)}
    workgroupBarrier();
    for (var e = lane; e < ${slab}u; e += ${LANES}u) {
      let m = m0 + subRow + ${i * UNIT}u + e / ${wide}u;
      let n = n0 + subColumn + ${part * wide}u + e % ${wide}u;
      if (m < p.m && n < p.n) { ${storeValue(epilogue, y)} }
    }
  }`,
    ),
  )}
}`
}

function storeValue(e: Epilogue, y: Stored): string {
  return `${e.gate ? 'let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;' : ''}
      ${e.residual ? 'let residualAt = (m % p.residualRows) * p.n;' : ''}
      y[m * p.n + n] = ${epilogueValue(e, y, 'slabs[slab + e]')};`
}
