// Flash attention on matrix units: out = softmax(q·kᵀ·scale + mask)·v, operands and out f16, scores, statistics and sums f32.
// Tier: matrix, for subgroup matrices of 16 x 16 x 16 and subgroups of 32 threads; heads of a multiple of 8 values.
// Bindings: p, q, k, v, [mask], out, [lse]. A workgroup has 64 queries of a head, each of its four subgroups 16 of them.
// Sums in matrices cannot be scaled row by row, so the reference that exponents are taken from is raised only where scores
// exceed it by GROWTH (Zadouri et al. 2026), rarely after the first keys; then the sums pass through workgroup memory. Speed: bench/RESULTS.md.
import { ABSENT, LOWEST } from '../attention.ts'
import { bindings, uniformBlock, unroll } from '../text.ts'
import { LANES, UNIT } from './shape.ts'

export interface MatrixAttentionParameters {
  /** Values of a head. */
  readonly dim: number
  /** Additive [batch, keys]. */
  readonly mask: boolean
  /** Also write the natural log of the sum of exponentials [batch, heads, queries]. */
  readonly lse: boolean
}

export const matrixAttentionName = ({ dim, mask, lse }: MatrixAttentionParameters): string =>
  `matrix_attention.${dim}${mask ? '+mask' : ''}${lse ? '+lse' : ''}`

const SUBGROUPS = 4
/** Queries of a workgroup, and keys that it handles at a time. */
export const QUERIES = SUBGROUPS * UNIT
const KEYS = 64
const VEC = 8
/** Steps between rows in workgroup memory, 16 bytes more than they have, so that they begin in other banks. */
const SCORES = KEYS + 4
const WEIGHTS = KEYS + 8
/** In powers of two: weights up to 2^8 times those that a running maximum would give fit f16. */
const GROWTH = '8.0'
/** Columns of the sums that pass through workgroup memory at once. */
const CHUNK = KEYS / UNIT

const whole = (dim: number) => Math.ceil(dim / UNIT) * UNIT

/** Bytes of workgroup memory. */
export const matrixAttentionStorage = (dim: number): number =>
  2 * KEYS * (whole(dim) + VEC) + SUBGROUPS * UNIT * (4 * SCORES + 2 * WEIGHTS + 4) + 4 * SUBGROUPS

export function matrixAttention({ dim, mask, lse }: MatrixAttentionParameters): string {
  const columns = whole(dim) / UNIT
  const stride = whole(dim) + VEC
  const words = whole(dim) / VEC
  const threads = SUBGROUPS * LANES
  /** Rows of q, k or v into the tile, zeros beyond them and beyond the head. */
  const fill = (of: 'q' | 'k' | 'v', first: string, bound: string) =>
    unroll(
      (KEYS * words) / threads,
      (l) => `{
      let e = local + ${l * threads}u; let row = e / ${words}u; let word = e % ${words}u;
      let there = ${first} + row < ${bound} && word < ${dim / VEC}u;
      let value = select(vec4u(), ${of}[select(0u, (batch * ${bound} + ${first} + row) * p.stride + head * ${dim / VEC}u + word, there)], there);
      let at = row * ${stride / 4}u + word * 2u;
      tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
    }`,
    )
  const matrix = (kind: 'left' | 'right', order: 'row' | 'col', row: string, column: number) =>
    `subgroupMatrixLoad<subgroup_matrix_${kind}<f16, ${UNIT}, ${UNIT}>, ${order}_major>(&tile, (${row}) * ${stride / 4}u + ${column / 4}u, ${stride / 4}u)`
  const score = (i: number) => `{
      let column = ${2 * i}u + side; let key = key0 + column;
      let s = select(${ABSENT}, scores[scoreAt + column] * scale${mask ? ' + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E' : ''}, key < p.keys);`
  /** Does something with the sums of 16 queries, 64 columns at a time, while they are in workgroup memory. */
  const throughMemory = (each: (first: number) => string, back: boolean) =>
    unroll(Math.ceil(columns / CHUNK), (chunk) => {
      const count = Math.min(CHUNK, columns - chunk * CHUNK)
      return `
    ${unroll(count, (c) => `subgroupMatrixStore<row_major>(&scores, subgroup * ${UNIT * SCORES}u + ${c * UNIT}u, o${chunk * CHUNK + c}, ${SCORES}u);`)}
    workgroupBarrier();
    for (var e = lane; e < ${UNIT * count * UNIT}u; e += ${LANES}u) {
      let r = e / ${count * UNIT}u; let column = e % ${count * UNIT}u;
      let at = (subgroup * ${UNIT}u + r) * ${SCORES}u + column;
      ${each(chunk * CHUNK * UNIT)}
    }
    workgroupBarrier();
    ${back ? unroll(count, (c) => `o${chunk * CHUNK + c} = subgroupMatrixLoad<subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>, row_major>(&scores, subgroup * ${UNIT * SCORES}u + ${c * UNIT}u, ${SCORES}u);`) : ''}
    ${back ? 'workgroupBarrier();' : ''}`
    })
  return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
${uniformBlock(['queries', 'keys', 'heads', 'stride', 'scale: f32'])}
${bindings(
  ['q', 'array<vec4u>'],
  ['k', 'array<vec4u>'],
  ['v', 'array<vec4u>'],
  ...((mask ? [['mask', 'array<f32>']] : []) as [string, string][]),
  ['out!', 'array<f16>'],
  ...((lse ? [['lse!', 'array<f32>']] : []) as [string, string][]),
)}
const LOG2E = 1.4426950408889634;
var<workgroup> tile: array<vec4<f16>, ${(KEYS * stride) / 4}>;
var<workgroup> scores: array<f32, ${SUBGROUPS * UNIT * SCORES}>;
var<workgroup> weights: array<f16, ${SUBGROUPS * UNIT * WEIGHTS}>;
var<workgroup> factors: array<f32, ${SUBGROUPS * UNIT}>;
var<workgroup> grown: array<u32, ${SUBGROUPS}>;
@compute @workgroup_size(${threads}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let head = workgroup.y;
  let batch = workgroup.z;
  let query0 = workgroup.x * ${QUERIES}u;
  let lane = local % ${LANES}u;
  let subgroup = local / ${LANES}u;
  // Two threads share a row of scores, every other column each.
  let row = lane / 2u;
  let side = lane % 2u;
  let scoreAt = (subgroup * ${UNIT}u + row) * ${SCORES}u;
  let weightAt = (subgroup * ${UNIT}u + row) * ${WEIGHTS}u;
  let scale = p.scale * LOG2E;
  ${fill('q', 'query0', 'p.queries')}
  workgroupBarrier();
  ${unroll(columns, (d) => `let q${d} = ${matrix('left', 'row', `subgroup * ${UNIT}u`, d * UNIT)};`)}
  ${unroll(columns, (c) => `var o${c}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`)}
  var top = ${LOWEST};
  var sum = 0.0;
  for (var key0 = 0u; key0 < p.keys; key0 += ${KEYS}u) {
    workgroupBarrier();
    ${fill('k', 'key0', 'p.keys')}
    workgroupBarrier();
    ${unroll(
      KEYS / UNIT,
      (j) => `{
      // Said, since a driver may take a declaration in a loop for one before it.
      var s = subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>(0.0);
      ${unroll(columns, (d) => `s = subgroupMatrixMultiplyAccumulate(q${d}, ${matrix('right', 'col', `${j * UNIT}u`, d * UNIT)}, s);`)}
      subgroupMatrixStore<row_major>(&scores, subgroup * ${UNIT * SCORES}u + ${j * UNIT}u, s, ${SCORES}u);
    }`,
    )}
    workgroupBarrier();
    ${fill('v', 'key0', 'p.keys')}
    var most = ${LOWEST};
    ${unroll(KEYS / 2, (i) => `${score(i)} most = max(most, s); }`)}
    most = max(most, subgroupShuffleXor(most, 1u));
    let grows = subgroupAny(most > top + ${GROWTH});
    if (lane == 0u) { grown[subgroup] = u32(grows); }
    let all = workgroupUniformLoad(&grown);
    let raised = ${Array.from({ length: SUBGROUPS }, (_, i) => `all[${i}]`).join(' + ')} > 0u;
    var factor = 1.0;
    if (raised) {
      let next = max(top, most);
      factor = exp2(top - next);
      top = next;
      sum *= factor;
    }
    ${unroll(KEYS / 2, (i) => `${score(i)} let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }`)}
    if (raised) {
      if (side == 0u) { factors[subgroup * ${UNIT}u + row] = factor; }
      workgroupBarrier();
      ${throughMemory(() => `scores[at] *= factors[subgroup * ${UNIT}u + r];`, true)}
    }
    workgroupBarrier();
    ${unroll(
      KEYS / UNIT,
      (j) => `{
      let w = subgroupMatrixLoad<subgroup_matrix_left<f16, ${UNIT}, ${UNIT}>, row_major>(&weights, subgroup * ${UNIT * WEIGHTS}u + ${j * UNIT}u, ${WEIGHTS}u);
      ${unroll(columns, (c) => `o${c} = subgroupMatrixMultiplyAccumulate(w, ${matrix('right', 'row', `${j * UNIT}u`, c * UNIT)}, o${c});`)}
    }`,
    )}
  }
  let total = sum + subgroupShuffleXor(sum, 1u);
  if (side == 0u) { factors[subgroup * ${UNIT}u + row] = select(0.0, 1.0 / total, total > 0.0); }
  ${lse ? `{ let query = query0 + subgroup * ${UNIT}u + row; if (side == 0u && query < p.queries) { lse[(batch * p.heads + head) * p.queries + query] = top / LOG2E + log(total); } }` : ''}
  workgroupBarrier();
  ${throughMemory(
    (first) => `let query = query0 + subgroup * ${UNIT}u + r;
      if (query < p.queries && ${first}u + column < ${dim}u) {
        out[(batch * p.queries + query) * p.stride * ${VEC}u + head * ${dim}u + ${first}u + column] = f16(scores[at] * factors[subgroup * ${UNIT}u + r]);
      }`,
    false,
  )}
}`
}
