// Flash attention on matrix units: out = softmax(q·kᵀ·scale + mask)·v, operands and out f16, scores, statistics and sums f32.
// Tier: matrix, for subgroup matrices of 16 x 16 x 16 and subgroups of 32 threads; heads of a multiple of 8 values.
// Bindings: p, q, k, v, [mask], out, [lse]. Workgroups of a head begin at different keys and go round: what one of them fetches
// from memory is in the cache for the others, which would all wait for the same keys otherwise. Speed: bench/RESULTS.md.
import { LOWEST } from '../attention.ts'
import { bindings, uniformBlock, unroll } from '../text.ts'
import { rescaledSums, softmaxOfKeys } from './attention_softmax.ts'
import {
  type AttentionTile,
  flagWords,
  GROUP,
  KEYS,
  keyStride,
  queriesOf,
  SCORES,
  subgroupsOfAttention,
  threadsOf,
  WEIGHTS,
  wholeHead,
} from './attention_tile.ts'
import { ENABLE_MATRICES, LANES, loadMatrix, ONCE, UNIT } from './shape.ts'

export interface MatrixAttentionParameters {
  /** Values of a head. */
  readonly dim: number
  readonly tile: AttentionTile
  /** Additive [batch, keys]. */
  readonly mask: boolean
  /** Also write the natural log of the sum of exponentials [batch, heads, queries]. */
  readonly lse: boolean
  /**
   * No other binding has the buffers of k and v, which may be bound as written ones then. They are not written: a compiler
   * may move what it knows to be read only beyond the next barrier, to where it is used, and waits for memory there.
   */
  readonly alone: boolean
}

export const matrixAttentionName = ({ dim, tile, mask, lse, alone }: MatrixAttentionParameters): string =>
  `matrix_attention.${dim}.${tile.groups}x${tile.sharing}${mask ? '+mask' : ''}${lse ? '+lse' : ''}${alone ? '+alone' : ''}`

/** Values of a load. */
const VEC = 8

export function matrixAttention(parameters: MatrixAttentionParameters): string {
  const { dim, tile, mask, lse, alone } = parameters
  const threads = threadsOf(tile)
  const queries = queriesOf(tile)
  const words = wholeHead(dim) / VEC
  const columns = wholeHead(dim) / UNIT
  const own = columns / tile.sharing // of the sums, in matrices
  const quads = keyStride(dim) / 4
  const loads = Math.ceil((KEYS * words) / threads)
  const place = (l: number) => {
    const e = `local + ${l * threads}u`
    return `let e${l} = ${loads * threads > KEYS * words ? `min(${e}, ${KEYS * words - 1}u)` : e}; let row${l} = e${l} / ${words}u; let word${l} = e${l} % ${words}u; let at${l} = row${l} * ${quads}u + word${l} * 2u;`
  }
  // Keys beyond the last are it again, and words beyond a head are whatever follows: weights of the former are zeros, and so
  // are the queries that the latter meet.
  const read = (of: 'k' | 'v', first: string) =>
    unroll(
      loads,
      (l) =>
        `${of}${l} = ${of}[(batch * p.keys + min(${first} + row${l}, p.keys - 1u)) * p.stride + head * ${dim / VEC}u + word${l}];`,
    )
  const write = (of: 'k' | 'v') =>
    unroll(
      loads,
      (l) =>
        `tile_${of}[at${l}] = bitcast<vec4<f16>>(${of}${l}.xy); tile_${of}[at${l} + 1u] = bitcast<vec4<f16>>(${of}${l}.zw);`,
    )
  const both = (piece: (u: number) => string) => unroll(GROUP / UNIT, piece)
  const everySum = (piece: (u: number, c: number) => string) => both((u) => unroll(own, (c) => piece(u, c)))
  const queryRow = (u: number) => `group * ${GROUP}u + ${u * UNIT}u`
  const written = alone ? '!' : ''
  return `${ENABLE_MATRICES}
diagnostic(off, subgroup_uniformity);
${uniformBlock(['queries', 'keys', 'heads', 'stride', 'scale: f32', 'zero'])}
${bindings(
  ['q', 'array<vec4u>'],
  [`k${written}`, 'array<vec4u>'],
  [`v${written}`, 'array<vec4u>'],
  ...((mask ? [['mask', 'array<f32>']] : []) as [string, string][]),
  ['out!', 'array<vec4<f16>>'],
  ...((lse ? [['lse!', 'array<f32>']] : []) as [string, string][]),
)}
const LOG2E = 1.4426950408889634;
var<workgroup> tile_k: array<vec4<f16>, ${KEYS * quads}>;
var<workgroup> tile_v: array<vec4<f16>, ${KEYS * quads}>;
var<workgroup> scores: array<vec4f, ${(queries * SCORES) / 4}>;
var<workgroup> weights: array<vec4<f16>, ${(queries * WEIGHTS) / 4}>;
var<workgroup> factors: array<f32, ${queries}>;
var<workgroup> grown: array<u32, ${flagWords(tile)}>;
@compute @workgroup_size(${threads}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u) {
  let head = workgroup.y;
  let batch = workgroup.z;
  let query0 = workgroup.x * ${queries}u;
  let lane = local % ${LANES}u;
  let subgroup = local / ${LANES}u;
  let group = subgroup / ${tile.sharing}u;
  let share = subgroup % ${tile.sharing}u;
  // In the softmax a query's keys belong to as many threads as subgroups share it.
  let row = local / ${tile.sharing}u;
  let part = local % ${tile.sharing}u;
  let scale = p.scale * LOG2E;
  ${unroll(loads, place)}
  ${both((u) => unroll(columns, (d) => `var q${u}_${d}: subgroup_matrix_left<f16, ${UNIT}, ${UNIT}>;`))}
  ${unroll(
    tile.groups,
    (g) => `
  workgroupBarrier();
  for (var e = local; e < ${GROUP * words}u; e += ${threads}u) {
    let r = e / ${words}u; let word = e % ${words}u; let query = query0 + ${g * GROUP}u + r;
    let there = query < p.queries && word < ${dim / VEC}u;
    let value = select(vec4u(), q[(batch * p.queries + min(query, p.queries - 1u)) * p.stride + head * ${dim / VEC}u + word], there);
    let at = r * ${quads}u + word * 2u;
    tile_k[at] = bitcast<vec4<f16>>(value.xy); tile_k[at + 1u] = bitcast<vec4<f16>>(value.zw);
  }
  workgroupBarrier();
  if (group == ${g}u) { ${both((u) => unroll(columns, (d) => `q${u}_${d} = ${loadMatrix('left', 'row', 'tile_k', `${u * UNIT}u`, `${d * 4}u`, quads)};`))} }`,
  )}
  ${everySum((u, c) => `var o${u}_${c}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`)}
  ${unroll(loads, (l) => `var k${l}: vec4u; var v${l}: vec4u;`)}
  var top = ${LOWEST};
  var sum = 0.0;
  let blocks = (p.keys + ${KEYS - 1}u) / ${KEYS}u;
  var key0 = (workgroup.x * blocks / count.x) * ${KEYS}u;
  workgroupBarrier();
  ${read('k', 'key0')}
  ${write('k')}
  workgroupBarrier();
  for (var turn = 0u; turn < blocks; turn++) { ${ONCE} {
    let after = select(0u, key0 + ${KEYS}u, key0 + ${KEYS}u < p.keys);
    ${read('v', 'key0')}
    ${unroll(
      KEYS / tile.sharing / UNIT,
      (j) => `{
      let key = share * ${KEYS / tile.sharing}u + ${j * UNIT}u;
      // Said, since a driver may take a declaration in a loop for one before it.
      ${both((u) => `var s${u} = subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>(0.0);`)}
      ${unroll(columns, (d) => `{ let right = ${loadMatrix('right', 'col', 'tile_k', 'key', `${d * 4}u`, quads)}; ${both((u) => `s${u} = subgroupMatrixMultiplyAccumulate(q${u}_${d}, right, s${u});`)} }`)}
      ${both((u) => `subgroupMatrixStore<row_major>(&scores, ((${queryRow(u)}) * ${SCORES}u + key) / 4u, s${u}, ${SCORES / 4}u);`)}
    }`,
    )}
    workgroupBarrier();
    ${read('k', 'after')}
    ${write('v')}
    ${softmaxOfKeys({ perRow: tile.sharing, mask })}
    ${write('k')}
    let all = workgroupUniformLoad(&grown);
    if (${unroll(subgroupsOfAttention(tile), (i) => `${i > 0 ? '+ ' : ''}all[${i}]`)} > 0u && turn > 0u) {
      ${rescaledSums(own, tile, () => 'scores[at] *= factors[r];', true)}
    }
    ${unroll(
      KEYS / UNIT,
      (j) => `{
      ${both((u) => `let w${u} = ${loadMatrix('left', 'row', 'weights', queryRow(u), `${j * 4}u`, WEIGHTS / 4)};`)}
      ${unroll(own, (c) => `{ let right = ${loadMatrix('right', 'row', 'tile_v', `${j * UNIT}u`, `(share * ${own}u + ${c}u) * 4u`, quads)}; ${both((u) => `o${u}_${c} = subgroupMatrixMultiplyAccumulate(w${u}, right, o${u}_${c});`)} }`)}
    }`,
    )}
    key0 = after;
  } default: { return; } } }
  let total = sum${tile.sharing > 1 ? ' + subgroupShuffleXor(sum, 1u)' : ''};
  workgroupBarrier();
  if (part == 0u) { factors[row] = select(0.0, 1.0 / total, total > 0.0); }
  ${lse ? 'if (part == 0u && query0 + row < p.queries) { lse[(batch * p.heads + head) * p.queries + query0 + row] = top / LOG2E + log(total); }' : ''}
  workgroupBarrier();
  ${rescaledSums(
    own,
    tile,
    () => `let query = query0 + r;
      if (query < p.queries && column < ${dim}u) { out[((batch * p.queries + query) * p.stride * ${VEC}u + head * ${dim}u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }`,
    false,
  )}
}`
}
