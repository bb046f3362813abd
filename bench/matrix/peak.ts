import { ENABLE_MATRICES, LANES, UNIT } from '../../src/wgsl/matrix/shape.ts'
import { unroll } from '../../src/wgsl/text.ts'

const SIDE = 4
const SUBGROUPS = 4

/** Multiplies and adds in registers alone, 16 matrices a subgroup: as fast as the card's matrix units can be asked to. */
export const MATMUL = `${ENABLE_MATRICES}
struct Params { turns: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> tile: array<f16, 2048>;
@compute @workgroup_size(${SUBGROUPS * LANES}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
  for (var i = local; i < 2048u; i += ${SUBGROUPS * LANES}u) { tile[i] = f16(f32((i * 37u + workgroup.x) % 61u) / 61.0 - 0.5); }
  workgroupBarrier();
  ${unroll(SIDE, (i) => `let a${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${UNIT}, ${UNIT}>, row_major>(&tile, ${i * 256}u, ${UNIT}u);`)}
  ${unroll(SIDE, (j) => `let b${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${UNIT}, ${UNIT}>, col_major>(&tile, ${1024 + j * 256}u, ${UNIT}u);`)}
  ${unroll(SIDE, (i) => unroll(SIDE, (j) => `var c${i}_${j}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`))}
  for (var turn = 0u; turn < p.turns; turn++) {
    ${unroll(SIDE, (i) => unroll(SIDE, (j) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`))}
  }
  ${unroll(SIDE, (i) => unroll(SIDE, (j) => `subgroupMatrixStore<row_major>(&y, (workgroup.x % 64u) * 4096u + ${(i * SIDE + j) * 256}u, c${i}_${j}, ${UNIT}u);`))}
}`

/** Floating-point operations of so many workgroups and turns. */
export const peakFlop = (workgroups: number, turns: number): number =>
  workgroups * SUBGROUPS * SIDE * SIDE * turns * 2 * UNIT ** 3
