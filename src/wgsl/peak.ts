// What a device computes and moves at most: multiply-adds in registers alone. Tiers: all. Bindings: p, y. `turns` is a uniform, so
// that no compiler knows how often; sums are stored, so that none leaves them out.
import { ENABLE_MATRICES, LANES, UNIT } from './matrix/shape.ts'
import { bindings, entry, uniformBlock, unroll } from './text.ts'

/** Matrices a side of a subgroup's product, and subgroups of a workgroup. */
const SIDE = 4
const SUBGROUPS = 4

/** f32 results that the kernel for matrix units stores. */
export const MATRIX_PEAK_RESULTS = 64 * SIDE * SIDE * UNIT ** 2

/** Multiplies and adds matrices, 16 products a subgroup and turn. y [MATRIX_PEAK_RESULTS]. */
export const matrixPeak = (): string => `${ENABLE_MATRICES}
${uniformBlock(['turns'])}
${bindings(['y!', 'array<f32>'])}
var<workgroup> tile: array<f16, 2048>;
${entry(SUBGROUPS * LANES)} {
  for (var i = local.x; i < 2048u; i += ${SUBGROUPS * LANES}u) { tile[i] = f16(f32((i * 37u + workgroup.x) % 61u) / 61.0 - 0.5); }
  workgroupBarrier();
  ${unroll(SIDE, (i) => `let a${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${UNIT}, ${UNIT}>, row_major>(&tile, ${i * 256}u, ${UNIT}u);`)}
  ${unroll(SIDE, (j) => `let b${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${UNIT}, ${UNIT}>, col_major>(&tile, ${1024 + j * 256}u, ${UNIT}u);`)}
  ${unroll(SIDE, (i) => unroll(SIDE, (j) => `var c${i}_${j}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`))}
  for (var turn = 0u; turn < p.turns; turn++) {
    ${unroll(SIDE, (i) => unroll(SIDE, (j) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`))}
  }
  ${unroll(SIDE, (i) => unroll(SIDE, (j) => `subgroupMatrixStore<row_major>(&y, (workgroup.x % 64u) * ${SIDE * SIDE * UNIT ** 2}u + ${(i * SIDE + j) * 256}u, c${i}_${j}, ${UNIT}u);`))}
}`

/** Floating-point operations of a workgroup in a turn. */
export const MATRIX_PEAK_FLOP = SUBGROUPS * SIDE * SIDE * 2 * UNIT ** 3

/**
 * Multiplies and adds vectors of four. y [threads].
 *
 * @param chains sums of a thread that do not wait for each other
 * @param fused whether in one instruction, which CPUs emulate
 */
export const vectorPeak = (
  type: 'f32' | 'f16',
  workgroup: number,
  chains: number,
  fused: boolean,
): string => `${type === 'f16' ? 'enable f16;' : ''}
${uniformBlock(['turns'])}
${bindings(['y!', 'array<f32>'])}
${entry(workgroup)} {
  let i = workgroup.x * ${workgroup}u + local.x;
  let factor = vec4<${type}>(${type}(0.5) + ${type}(f32(i % 7u) / 16.0));
  ${unroll(chains, (k) => `var c${k} = vec4<${type}>(${type}(f32(i % ${k + 2}u)));`)}
  for (var turn = 0u; turn < p.turns; turn++) {
    ${unroll(chains, (k) => (fused ? `c${k} = fma(c${k}, factor, factor);` : `c${k} = c${k} * factor + factor;`))}
  }
  let sum = ${Array.from({ length: chains }, (_, k) => `c${k}`).join(' + ')};
  y[i] = f32(sum.x + sum.y + sum.z + sum.w);
}`

/** Floating-point operations of a thread in a turn. */
export const vectorPeakFlop = (chains: number): number => chains * 4 * 2
