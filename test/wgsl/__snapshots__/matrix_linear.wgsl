enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
struct Params { m: u32, n: u32, k: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32, zero: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4u>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> multiply: array<vec4f>;
@group(0) @binding(5) var<storage, read> gate: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> y: array<vec4<f16>>;
fn act(x: f32) -> f32 { return x / (1.0 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x))); }
fn act4(v: vec4f) -> vec4f { return vec4f(act(v.x), act(v.y), act(v.z), act(v.w)); }
var<workgroup> tile_a: array<vec4<f16>, 1280>;
var<workgroup> tile_b: array<vec4<f16>, 1280>;
var<workgroup> slabs: array<vec4f, 256>;
@compute @workgroup_size(128) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u) {
let order = workgroup.y * groups.x + workgroup.x;
let band = order / (8u * groups.x);
let bandRows = min(8u, groups.y - band * 8u);
let inBand = order - band * 8u * groups.x;
let m0 = (band * 8u + inBand % bandRows) * 128u;
let n0 = (inBand / bandRows) * 128u;
let lane = local % 32u;
let subgroup = local / 32u;
let subRow = (subgroup / 2u) * 64u;
let subColumn = (subgroup % 2u) * 64u;
var c0_0: subgroup_matrix_result<f32, 16, 16>;
var c0_1: subgroup_matrix_result<f32, 16, 16>;
var c0_2: subgroup_matrix_result<f32, 16, 16>;
var c0_3: subgroup_matrix_result<f32, 16, 16>;
var c1_0: subgroup_matrix_result<f32, 16, 16>;
var c1_1: subgroup_matrix_result<f32, 16, 16>;
var c1_2: subgroup_matrix_result<f32, 16, 16>;
var c1_3: subgroup_matrix_result<f32, 16, 16>;
var c2_0: subgroup_matrix_result<f32, 16, 16>;
var c2_1: subgroup_matrix_result<f32, 16, 16>;
var c2_2: subgroup_matrix_result<f32, 16, 16>;
var c2_3: subgroup_matrix_result<f32, 16, 16>;
var c3_0: subgroup_matrix_result<f32, 16, 16>;
var c3_1: subgroup_matrix_result<f32, 16, 16>;
var c3_2: subgroup_matrix_result<f32, 16, 16>;
var c3_3: subgroup_matrix_result<f32, 16, 16>;
let aFrom0 = min(m0 + (local + 0u) / 4u, p.m - 1u) * p.k + (local + 0u) % 4u; let aTo0 = ((local + 0u) / 4u) * 10u + ((local + 0u) % 4u) * 2u; var a0: vec4u;
let aFrom1 = min(m0 + (local + 128u) / 4u, p.m - 1u) * p.k + (local + 128u) % 4u; let aTo1 = ((local + 128u) / 4u) * 10u + ((local + 128u) % 4u) * 2u; var a1: vec4u;
let aFrom2 = min(m0 + (local + 256u) / 4u, p.m - 1u) * p.k + (local + 256u) % 4u; let aTo2 = ((local + 256u) / 4u) * 10u + ((local + 256u) % 4u) * 2u; var a2: vec4u;
let aFrom3 = min(m0 + (local + 384u) / 4u, p.m - 1u) * p.k + (local + 384u) % 4u; let aTo3 = ((local + 384u) / 4u) * 10u + ((local + 384u) % 4u) * 2u; var a3: vec4u;let bFrom0 = min(n0 + (local + 0u) / 4u, p.n - 1u) * p.k + (local + 0u) % 4u; let bTo0 = ((local + 0u) / 4u) * 10u + ((local + 0u) % 4u) * 2u; var b0: vec4u;
let bFrom1 = min(n0 + (local + 128u) / 4u, p.n - 1u) * p.k + (local + 128u) % 4u; let bTo1 = ((local + 128u) / 4u) * 10u + ((local + 128u) % 4u) * 2u; var b1: vec4u;
let bFrom2 = min(n0 + (local + 256u) / 4u, p.n - 1u) * p.k + (local + 256u) % 4u; let bTo2 = ((local + 256u) / 4u) * 10u + ((local + 256u) % 4u) * 2u; var b2: vec4u;
let bFrom3 = min(n0 + (local + 384u) / 4u, p.n - 1u) * p.k + (local + 384u) % 4u; let bTo3 = ((local + 384u) / 4u) * 10u + ((local + 384u) % 4u) * 2u; var b3: vec4u;
a0 = a[aFrom0 + 0u];
a1 = a[aFrom1 + 0u];
a2 = a[aFrom2 + 0u];
a3 = a[aFrom3 + 0u];b0 = b[bFrom0 + 0u];
b1 = b[bFrom1 + 0u];
b2 = b[bFrom2 + 0u];
b3 = b[bFrom3 + 0u];
for (var k = 0u; k < p.k; k += 4u) { switch (p.zero) { case 0u: {
workgroupBarrier();
a0 = select(vec4u(), a0, k + (local + 0u) % 4u < p.k); tile_a[aTo0] = bitcast<vec4<f16>>(a0.xy); tile_a[aTo0 + 1u] = bitcast<vec4<f16>>(a0.zw);
a1 = select(vec4u(), a1, k + (local + 128u) % 4u < p.k); tile_a[aTo1] = bitcast<vec4<f16>>(a1.xy); tile_a[aTo1 + 1u] = bitcast<vec4<f16>>(a1.zw);
a2 = select(vec4u(), a2, k + (local + 256u) % 4u < p.k); tile_a[aTo2] = bitcast<vec4<f16>>(a2.xy); tile_a[aTo2 + 1u] = bitcast<vec4<f16>>(a2.zw);
a3 = select(vec4u(), a3, k + (local + 384u) % 4u < p.k); tile_a[aTo3] = bitcast<vec4<f16>>(a3.xy); tile_a[aTo3 + 1u] = bitcast<vec4<f16>>(a3.zw);b0 = select(vec4u(), b0, k + (local + 0u) % 4u < p.k); tile_b[bTo0] = bitcast<vec4<f16>>(b0.xy); tile_b[bTo0 + 1u] = bitcast<vec4<f16>>(b0.zw);
b1 = select(vec4u(), b1, k + (local + 128u) % 4u < p.k); tile_b[bTo1] = bitcast<vec4<f16>>(b1.xy); tile_b[bTo1 + 1u] = bitcast<vec4<f16>>(b1.zw);
b2 = select(vec4u(), b2, k + (local + 256u) % 4u < p.k); tile_b[bTo2] = bitcast<vec4<f16>>(b2.xy); tile_b[bTo2 + 1u] = bitcast<vec4<f16>>(b2.zw);
b3 = select(vec4u(), b3, k + (local + 384u) % 4u < p.k); tile_b[bTo3] = bitcast<vec4<f16>>(b3.xy); tile_b[bTo3 + 1u] = bitcast<vec4<f16>>(b3.zw);
workgroupBarrier();
// The next ones, while these are multiplied; after the last, the last again.
let next = select(k, k + 4u, k + 4u < p.k);
a0 = a[aFrom0 + next];
a1 = a[aFrom1 + next];
a2 = a[aFrom2 + next];
a3 = a[aFrom3 + next];b0 = b[bFrom0 + next];
b1 = b[bFrom1 + next];
b2 = b[bFrom2 + next];
b3 = b[bFrom3 + next];
{
let left0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 0u) * 10u + 0u, 10u);
let left1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 16u) * 10u + 0u, 10u);
let left2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 32u) * 10u + 0u, 10u);
let left3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 48u) * 10u + 0u, 10u);
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 0u) * 10u + 0u, 10u);
c0_0 = subgroupMatrixMultiplyAccumulate(left0, right, c0_0);
c1_0 = subgroupMatrixMultiplyAccumulate(left1, right, c1_0);
c2_0 = subgroupMatrixMultiplyAccumulate(left2, right, c2_0);
c3_0 = subgroupMatrixMultiplyAccumulate(left3, right, c3_0);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 16u) * 10u + 0u, 10u);
c0_1 = subgroupMatrixMultiplyAccumulate(left0, right, c0_1);
c1_1 = subgroupMatrixMultiplyAccumulate(left1, right, c1_1);
c2_1 = subgroupMatrixMultiplyAccumulate(left2, right, c2_1);
c3_1 = subgroupMatrixMultiplyAccumulate(left3, right, c3_1);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 32u) * 10u + 0u, 10u);
c0_2 = subgroupMatrixMultiplyAccumulate(left0, right, c0_2);
c1_2 = subgroupMatrixMultiplyAccumulate(left1, right, c1_2);
c2_2 = subgroupMatrixMultiplyAccumulate(left2, right, c2_2);
c3_2 = subgroupMatrixMultiplyAccumulate(left3, right, c3_2);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 48u) * 10u + 0u, 10u);
c0_3 = subgroupMatrixMultiplyAccumulate(left0, right, c0_3);
c1_3 = subgroupMatrixMultiplyAccumulate(left1, right, c1_3);
c2_3 = subgroupMatrixMultiplyAccumulate(left2, right, c2_3);
c3_3 = subgroupMatrixMultiplyAccumulate(left3, right, c3_3);
}
}
{
let left0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 0u) * 10u + 4u, 10u);
let left1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 16u) * 10u + 4u, 10u);
let left2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 32u) * 10u + 4u, 10u);
let left3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (subRow + 48u) * 10u + 4u, 10u);
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 0u) * 10u + 4u, 10u);
c0_0 = subgroupMatrixMultiplyAccumulate(left0, right, c0_0);
c1_0 = subgroupMatrixMultiplyAccumulate(left1, right, c1_0);
c2_0 = subgroupMatrixMultiplyAccumulate(left2, right, c2_0);
c3_0 = subgroupMatrixMultiplyAccumulate(left3, right, c3_0);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 16u) * 10u + 4u, 10u);
c0_1 = subgroupMatrixMultiplyAccumulate(left0, right, c0_1);
c1_1 = subgroupMatrixMultiplyAccumulate(left1, right, c1_1);
c2_1 = subgroupMatrixMultiplyAccumulate(left2, right, c2_1);
c3_1 = subgroupMatrixMultiplyAccumulate(left3, right, c3_1);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 32u) * 10u + 4u, 10u);
c0_2 = subgroupMatrixMultiplyAccumulate(left0, right, c0_2);
c1_2 = subgroupMatrixMultiplyAccumulate(left1, right, c1_2);
c2_2 = subgroupMatrixMultiplyAccumulate(left2, right, c2_2);
c3_2 = subgroupMatrixMultiplyAccumulate(left3, right, c3_2);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (subColumn + 48u) * 10u + 4u, 10u);
c0_3 = subgroupMatrixMultiplyAccumulate(left0, right, c0_3);
c1_3 = subgroupMatrixMultiplyAccumulate(left1, right, c1_3);
c2_3 = subgroupMatrixMultiplyAccumulate(left2, right, c2_3);
c3_3 = subgroupMatrixMultiplyAccumulate(left3, right, c3_3);
}
}
} default: { return; } } }
let quads = p.n / 4u;
let slab = subgroup * 64u;
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_0, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 0u) / 4u + lane % 4u;
{
let m = m0 + subRow + 0u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 0u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_1, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 16u) / 4u + lane % 4u;
{
let m = m0 + subRow + 0u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 0u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_2, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 32u) / 4u + lane % 4u;
{
let m = m0 + subRow + 0u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 0u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_3, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 48u) / 4u + lane % 4u;
{
let m = m0 + subRow + 0u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 0u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_0, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 0u) / 4u + lane % 4u;
{
let m = m0 + subRow + 16u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 16u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_1, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 16u) / 4u + lane % 4u;
{
let m = m0 + subRow + 16u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 16u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_2, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 32u) / 4u + lane % 4u;
{
let m = m0 + subRow + 16u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 16u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_3, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 48u) / 4u + lane % 4u;
{
let m = m0 + subRow + 16u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 16u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_0, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 0u) / 4u + lane % 4u;
{
let m = m0 + subRow + 32u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 32u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_1, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 16u) / 4u + lane % 4u;
{
let m = m0 + subRow + 32u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 32u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_2, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 32u) / 4u + lane % 4u;
{
let m = m0 + subRow + 32u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 32u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_3, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 48u) / 4u + lane % 4u;
{
let m = m0 + subRow + 32u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 32u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_0, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 0u) / 4u + lane % 4u;
{
let m = m0 + subRow + 48u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 48u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_1, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 16u) / 4u + lane % 4u;
{
let m = m0 + subRow + 48u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 48u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_2, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 32u) / 4u + lane % 4u;
{
let m = m0 + subRow + 48u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 48u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_3, 4u);
workgroupBarrier();
let n4 = (n0 + subColumn + 48u) / 4u + lane % 4u;
{
let m = m0 + subRow + 48u + (lane + 0u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 0u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
{
let m = m0 + subRow + 48u + (lane + 32u) / 4u;
if (m < p.m && n4 < quads) { y[m * quads + n4] = vec4<f16>(act4((slabs[slab + lane + 32u] + bias[n4])) * multiply[m * quads + n4] * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4] + residual[(m % p.residualRows) * quads + n4]); }
}
}
}
