// Linear on matrix units: y [m, n] = epilogue(a [m, k] · b [n, k]ᵀ), operands f16, sums f32, y f32 or f16; b may have few
// bits, which become f16 on the way into workgroup memory. And convolution as the same with windows for rows. Tier: matrix, for
// subgroup matrices of 16 x 16 x 16 and subgroups of 32 threads. Bindings: p, a, b, [bias], [multiply], [gate], [residual], y.
// k is a multiple of 8, the values of a load of 16 bytes, and n of 4; rows, columns and depth beyond the operands are computed
// as the last row or as zeros, and not stored. Speed, and what was tried: bench/RESULTS.md.
import { formatName, type WeightFormat } from '../quantized/format.ts'
import { arrayOf, type Stored } from '../stored.ts'
import { bindings, uniformBlock, unroll } from '../text.ts'
import { EPILOGUE_FIELDS, type Epilogue, epilogueName } from '../tile/epilogue.ts'
import { quadBindings, quadFunctions, storeQuad } from './epilogue.ts'
import { halvesTile, type LoadedTile, PAD, quantizedTile, VEC } from './loader.ts'
import {
  ENABLE_MATRICES,
  LANES,
  loadMatrix,
  type MatrixTile,
  matrixTileName,
  ONCE,
  slabColumns,
  subgroupsOf,
  UNIT,
} from './shape.ts'
import { WINDOW_FIELDS, windowTile } from './window_loader.ts'

export interface MatrixLinearParameters {
  /** Rows of a matrix, or windows of a picture whose channels the tile's depth divides. */
  readonly rows: 'matrix' | 'window'
  readonly y: Stored
  /** What b is kept in. */
  readonly weight: 'f16' | WeightFormat
  readonly tile: MatrixTile
  readonly epilogue: Epilogue
  /** k is no multiple of the tile's depth. */
  readonly ragged: boolean
}

export const matrixLinearName = ({ rows, y, weight, tile, epilogue, ragged }: MatrixLinearParameters): string =>
  `matrix_${rows === 'matrix' ? 'linear' : 'conv2d'}.${weight === 'f16' ? '' : `${formatName(weight)}.`}${y}.${matrixTileName(tile)}${ragged ? '.ragged' : ''}.${epilogueName(epilogue)}`

/** Tiles that are computed one after the other go down so many rows before the next column: they share what the cache has. */
const BAND = 8

/** Bytes of workgroup memory. */
export const matrixLinearStorage = (tile: MatrixTile): number =>
  2 * (tile.rows + tile.columns) * (tile.depth + PAD) + 4 * subgroupsOf(tile) * UNIT * slabColumns(tile)

export function matrixLinear({ rows: kind, y, weight, tile, epilogue, ragged }: MatrixLinearParameters): string {
  const { rows, columns, depth, subgroupRows, subgroupColumns } = tile
  const threads = subgroupsOf(tile) * LANES
  const [down, across] = [subgroupRows / UNIT, subgroupColumns / UNIT]
  const quads = (depth + PAD) / 4
  const words = depth / VEC // of a row
  const tileOf = { depth, threads }
  const left: LoadedTile = { ...tileOf, operand: 'a', rows, first: 'm0', bound: 'p.m' }
  const a = kind === 'matrix' ? halvesTile(left, ragged) : windowTile(left)
  const right: LoadedTile = { ...tileOf, operand: 'b', rows: columns, first: 'n0', bound: 'p.n' }
  const b = weight === 'f16' ? halvesTile(right, ragged) : quantizedTile(right, weight)
  const read = (k: string) => a.read(k) + b.read(k)
  return `${ENABLE_MATRICES}
${uniformBlock(['m', 'n', 'k', ...(kind === 'window' ? WINDOW_FIELDS : []), ...EPILOGUE_FIELDS, 'zero', ...(weight === 'f16' ? [] : ['scales'])])}
${bindings(['a', 'array<vec4u>'], ['b', 'array<vec4u>'], ...quadBindings(epilogue), ['y!', arrayOf(y, 4)])}
${quadFunctions(epilogue)}${b.functions}
var<workgroup> tile_a: array<vec4<f16>, ${rows * quads}>;
var<workgroup> tile_b: array<vec4<f16>, ${columns * quads}>;
var<workgroup> slabs: array<vec4f, ${(subgroupsOf(tile) * UNIT * slabColumns(tile)) / 4}>;
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
  ${a.place}${b.place}
  ${read('0u')}
  for (var k = 0u; k < p.k; k += ${words}u) { ${ONCE} {
    workgroupBarrier();
    ${a.write}${b.write}
    workgroupBarrier();
    // The next ones, while these are multiplied; after the last, the last again.
    let next = select(k, k + ${words}u, k + ${words}u < p.k);
    ${read('next')}
    ${unroll(
      depth / UNIT,
      (d) => `{
      ${unroll(down, (i) => `let left${i} = ${loadMatrix('left', 'row', 'tile_a', `subRow + ${i * UNIT}u`, `${d * 4}u`, quads)};`)}
      ${unroll(
        across,
        (j) => `{
        let right = ${loadMatrix('right', 'col', 'tile_b', `subColumn + ${j * UNIT}u`, `${d * 4}u`, quads)};
        ${unroll(down, (i) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(left${i}, right, c${i}_${j});`)}
      }`,
      )}
    }`,
    )}
  } default: { return; } } }
  let quads = p.n / 4u;
  ${storeSums(y, tile, epilogue)}
}`
}

/** Sums pass through workgroup memory, where threads can see them: 16 rows of a subgroup's at a time, `slabColumns` columns. */
function storeSums(y: Stored, tile: MatrixTile, epilogue: Epilogue): string {
  const wide = slabColumns(tile)
  const slab = (UNIT * wide) / 4
  const perRow = wide / 4
  return `let slab = subgroup * ${slab}u;
  ${unroll(tile.subgroupRows / UNIT, (i) =>
    unroll(
      tile.subgroupColumns / wide,
      (part) => `{
    workgroupBarrier();
    ${unroll(wide / UNIT, (j) => `subgroupMatrixStore<row_major>(&slabs, slab + ${j * 4}u, c${i}_${(part * wide) / UNIT + j}, ${perRow}u);`)}
    workgroupBarrier();
    let n4 = (n0 + subColumn + ${part * wide}u) / 4u + lane % ${perRow}u;
    ${unroll(
      slab / LANES,
      (l) => `{
      let m = m0 + subRow + ${i * UNIT}u + (lane + ${l * LANES}u) / ${perRow}u;
      if (m < p.m && n4 < quads) { ${storeQuad(epilogue, y, `slabs[slab + lane + ${l * LANES}u]`)} }
    }`,
    )}
  }`,
    ),
  )}`
}
