// Parts of attention on matrix units between its two products, in workgroup memory, since a thread cannot see what it holds of
// a matrix. Sums in matrices cannot be scaled row by row: the reference that exponents are taken from is raised only where
// scores exceed it by GROWTH (Zadouri et al. 2026), rarely after the first keys; then the sums pass through workgroup memory.
import { ABSENT } from '../attention.ts'
import { unroll } from '../text.ts'
import { type AttentionTile, GROUP, KEYS, queriesOf, SCORES, subgroupsOfAttention, WEIGHTS } from './attention_tile.ts'
import { LANES, UNIT } from './shape.ts'

/** In powers of two: weights up to 2^8 times those that a running maximum would give fit f16. */
const GROWTH = '8.0'

/**
 * From the scores of `row` to its weights, `perRow` threads a row: raises `top` where it must, scales `sum` and says so in
 * `factors` and `grown`.
 */
export function softmaxOfKeys({ perRow, mask }: { perRow: number; mask: boolean }): string {
  const quads = KEYS / perRow / 4
  const each = (piece: (i: number) => string) => unroll(quads, piece)
  const at = (i: number) => `${i * perRow}u + part`
  const key = (i: number) => `key0 + (${at(i)}) * 4u`
  const masked = (i: number) =>
    `vec4f(${[0, 1, 2, 3].map((c) => `mask[batch * p.keys + min(${key(i)} + ${c}u, p.keys - 1u)]`).join(', ')}) * LOG2E`
  return `
    ${each((i) => `var s${i} = scores[row * ${SCORES / 4}u + ${at(i)}] * scale${mask ? ` + ${masked(i)}` : ''};`)}
    if (key0 + ${KEYS}u > p.keys) { ${each((i) => `s${i} = select(vec4f(${ABSENT}), s${i}, vec4u(0u, 1u, 2u, 3u) + (${key(i)}) < vec4u(p.keys));`)} }
    var most4 = s0;
    ${each((i) => (i > 0 ? `most4 = max(most4, s${i});` : ''))}
    var most = max(max(most4.x, most4.y), max(most4.z, most4.w));
    ${perRow > 1 ? 'most = max(most, subgroupShuffleXor(most, 1u));' : ''}
    let grows = most > top + ${GROWTH};
    var factor = 1.0;
    if (grows) { factor = exp2(top - most); top = most; sum *= factor; }
    if (part == 0u) { factors[row] = factor; }
    var added = vec4f();
    ${each((i) => `let w${i} = exp2(s${i} - top); added += w${i}; weights[row * ${WEIGHTS / 4}u + ${at(i)}] = vec4<f16>(w${i});`)}
    sum += added.x + added.y + added.z + added.w;
    let any = subgroupAny(grows);
    if (lane == 0u) { grown[subgroup] = u32(any); }`
}

/**
 * Does something with the sums `o{u}_{c}` of a subgroup while they are in workgroup memory, a matrix at a time, in its share
 * of `scores`: `r` is the query's row, `column` the first of four columns, `at` where they are.
 */
export function rescaledSums(own: number, tile: AttentionTile, each: () => string, back: boolean): string {
  const share = Math.floor((queriesOf(tile) * SCORES) / subgroupsOfAttention(tile) / 4)
  return unroll(own, (c) =>
    unroll(
      GROUP / UNIT,
      (u) => `{
      subgroupMatrixStore<row_major>(&scores, subgroup * ${share}u, o${u}_${c}, ${UNIT / 4}u);
      workgroupBarrier();
      for (var e = lane; e < ${(UNIT * UNIT) / 4}u; e += ${LANES}u) {
        let r = group * ${GROUP}u + ${u * UNIT}u + e / ${UNIT / 4}u; let at = subgroup * ${share}u + e;
        let column = (share * ${own}u + ${c}u) * ${UNIT}u + (e % ${UNIT / 4}u) * 4u;
        ${each()}
      }
      workgroupBarrier();
      ${back ? `o${u}_${c} = subgroupMatrixLoad<subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>, row_major>(&scores, subgroup * ${share}u, ${UNIT / 4}u); workgroupBarrier();` : ''}
    }`,
    ),
  )
}
