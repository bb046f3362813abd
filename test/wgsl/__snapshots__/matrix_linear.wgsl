enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
struct Params { m: u32, n: u32, k: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4u>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> multiply: array<f32>;
@group(0) @binding(5) var<storage, read> gate: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f16>;
fn act(x: f32) -> f32 { return x / (1.0 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x))); }
var<workgroup> tileA: array<vec4<f16>, 1280>;
var<workgroup> tileB: array<vec4<f16>, 2560>;
var<workgroup> slabs: array<f32, 4096>;
@compute @workgroup_size(256) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u) {
let order = workgroup.y * groups.x + workgroup.x;
let band = order / (8u * groups.x);
let bandRows = min(8u, groups.y - band * 8u);
let inBand = order - band * 8u * groups.x;
let m0 = (band * 8u + inBand % bandRows) * 128u;
let n0 = (inBand / bandRows) * 256u;
let lane = local % 32u;
let subgroup = local / 32u;
let subRow = (subgroup / 4u) * 64u;
let subColumn = (subgroup % 4u) * 64u;
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
var a0: vec4u;
var a1: vec4u; var b0: vec4u;
var b1: vec4u;
var b2: vec4u;
var b3: vec4u;
for (var k = 0u; k < p.k; k += 4u) {
{ let e0 = local + 0u; let row0 = e0 / 4u; let word0 = e0 % 4u; a0 = select(vec4u(), a[select(0u, min(m0 + row0, p.m - 1u) * p.k + k + word0, k + word0 < p.k)], k + word0 < p.k); }
{ let e1 = local + 256u; let row1 = e1 / 4u; let word1 = e1 % 4u; a1 = select(vec4u(), a[select(0u, min(m0 + row1, p.m - 1u) * p.k + k + word1, k + word1 < p.k)], k + word1 < p.k); } { let e0 = local + 0u; let row0 = e0 / 4u; let word0 = e0 % 4u; b0 = select(vec4u(), b[select(0u, min(n0 + row0, p.n - 1u) * p.k + k + word0, k + word0 < p.k)], k + word0 < p.k); }
{ let e1 = local + 256u; let row1 = e1 / 4u; let word1 = e1 % 4u; b1 = select(vec4u(), b[select(0u, min(n0 + row1, p.n - 1u) * p.k + k + word1, k + word1 < p.k)], k + word1 < p.k); }
{ let e2 = local + 512u; let row2 = e2 / 4u; let word2 = e2 % 4u; b2 = select(vec4u(), b[select(0u, min(n0 + row2, p.n - 1u) * p.k + k + word2, k + word2 < p.k)], k + word2 < p.k); }
{ let e3 = local + 768u; let row3 = e3 / 4u; let word3 = e3 % 4u; b3 = select(vec4u(), b[select(0u, min(n0 + row3, p.n - 1u) * p.k + k + word3, k + word3 < p.k)], k + word3 < p.k); }
workgroupBarrier();
{ let e0 = local + 0u; let row0 = e0 / 4u; let word0 = e0 % 4u; { let at = (row0 * 40u + word0 * 8u) / 4u; tileA[at] = bitcast<vec4<f16>>(a0.xy); tileA[at + 1u] = bitcast<vec4<f16>>(a0.zw); } }
{ let e1 = local + 256u; let row1 = e1 / 4u; let word1 = e1 % 4u; { let at = (row1 * 40u + word1 * 8u) / 4u; tileA[at] = bitcast<vec4<f16>>(a1.xy); tileA[at + 1u] = bitcast<vec4<f16>>(a1.zw); } } { let e0 = local + 0u; let row0 = e0 / 4u; let word0 = e0 % 4u; { let at = (row0 * 40u + word0 * 8u) / 4u; tileB[at] = bitcast<vec4<f16>>(b0.xy); tileB[at + 1u] = bitcast<vec4<f16>>(b0.zw); } }
{ let e1 = local + 256u; let row1 = e1 / 4u; let word1 = e1 % 4u; { let at = (row1 * 40u + word1 * 8u) / 4u; tileB[at] = bitcast<vec4<f16>>(b1.xy); tileB[at + 1u] = bitcast<vec4<f16>>(b1.zw); } }
{ let e2 = local + 512u; let row2 = e2 / 4u; let word2 = e2 % 4u; { let at = (row2 * 40u + word2 * 8u) / 4u; tileB[at] = bitcast<vec4<f16>>(b2.xy); tileB[at + 1u] = bitcast<vec4<f16>>(b2.zw); } }
{ let e3 = local + 768u; let row3 = e3 / 4u; let word3 = e3 % 4u; { let at = (row3 * 40u + word3 * 8u) / 4u; tileB[at] = bitcast<vec4<f16>>(b3.xy); tileB[at + 1u] = bitcast<vec4<f16>>(b3.zw); } }
workgroupBarrier();
{
let left0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 0u) * 40u + 0u) / 4u, 10u);
let left1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 16u) * 40u + 0u) / 4u, 10u);
let left2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 32u) * 40u + 0u) / 4u, 10u);
let left3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 48u) * 40u + 0u) / 4u, 10u);
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 0u) * 40u + 0u) / 4u, 10u);
c0_0 = subgroupMatrixMultiplyAccumulate(left0, right, c0_0);
c1_0 = subgroupMatrixMultiplyAccumulate(left1, right, c1_0);
c2_0 = subgroupMatrixMultiplyAccumulate(left2, right, c2_0);
c3_0 = subgroupMatrixMultiplyAccumulate(left3, right, c3_0);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 16u) * 40u + 0u) / 4u, 10u);
c0_1 = subgroupMatrixMultiplyAccumulate(left0, right, c0_1);
c1_1 = subgroupMatrixMultiplyAccumulate(left1, right, c1_1);
c2_1 = subgroupMatrixMultiplyAccumulate(left2, right, c2_1);
c3_1 = subgroupMatrixMultiplyAccumulate(left3, right, c3_1);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 32u) * 40u + 0u) / 4u, 10u);
c0_2 = subgroupMatrixMultiplyAccumulate(left0, right, c0_2);
c1_2 = subgroupMatrixMultiplyAccumulate(left1, right, c1_2);
c2_2 = subgroupMatrixMultiplyAccumulate(left2, right, c2_2);
c3_2 = subgroupMatrixMultiplyAccumulate(left3, right, c3_2);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 48u) * 40u + 0u) / 4u, 10u);
c0_3 = subgroupMatrixMultiplyAccumulate(left0, right, c0_3);
c1_3 = subgroupMatrixMultiplyAccumulate(left1, right, c1_3);
c2_3 = subgroupMatrixMultiplyAccumulate(left2, right, c2_3);
c3_3 = subgroupMatrixMultiplyAccumulate(left3, right, c3_3);
}
}
{
let left0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 0u) * 40u + 16u) / 4u, 10u);
let left1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 16u) * 40u + 16u) / 4u, 10u);
let left2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 32u) * 40u + 16u) / 4u, 10u);
let left3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tileA, ((subRow + 48u) * 40u + 16u) / 4u, 10u);
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 0u) * 40u + 16u) / 4u, 10u);
c0_0 = subgroupMatrixMultiplyAccumulate(left0, right, c0_0);
c1_0 = subgroupMatrixMultiplyAccumulate(left1, right, c1_0);
c2_0 = subgroupMatrixMultiplyAccumulate(left2, right, c2_0);
c3_0 = subgroupMatrixMultiplyAccumulate(left3, right, c3_0);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 16u) * 40u + 16u) / 4u, 10u);
c0_1 = subgroupMatrixMultiplyAccumulate(left0, right, c0_1);
c1_1 = subgroupMatrixMultiplyAccumulate(left1, right, c1_1);
c2_1 = subgroupMatrixMultiplyAccumulate(left2, right, c2_1);
c3_1 = subgroupMatrixMultiplyAccumulate(left3, right, c3_1);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 32u) * 40u + 16u) / 4u, 10u);
c0_2 = subgroupMatrixMultiplyAccumulate(left0, right, c0_2);
c1_2 = subgroupMatrixMultiplyAccumulate(left1, right, c1_2);
c2_2 = subgroupMatrixMultiplyAccumulate(left2, right, c2_2);
c3_2 = subgroupMatrixMultiplyAccumulate(left3, right, c3_2);
}
{
let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tileB, ((subColumn + 48u) * 40u + 16u) / 4u, 10u);
c0_3 = subgroupMatrixMultiplyAccumulate(left0, right, c0_3);
c1_3 = subgroupMatrixMultiplyAccumulate(left1, right, c1_3);
c2_3 = subgroupMatrixMultiplyAccumulate(left2, right, c2_3);
c3_3 = subgroupMatrixMultiplyAccumulate(left3, right, c3_3);
}
}
}
let slab = subgroup * 512u;
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_0, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c0_1, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 0u + e / 32u;
let n = n0 + subColumn + 0u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c0_2, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c0_3, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 0u + e / 32u;
let n = n0 + subColumn + 32u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_0, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c1_1, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 16u + e / 32u;
let n = n0 + subColumn + 0u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c1_2, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c1_3, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 16u + e / 32u;
let n = n0 + subColumn + 32u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_0, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c2_1, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 32u + e / 32u;
let n = n0 + subColumn + 0u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c2_2, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c2_3, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 32u + e / 32u;
let n = n0 + subColumn + 32u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_0, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c3_1, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 48u + e / 32u;
let n = n0 + subColumn + 0u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
{
workgroupBarrier();
subgroupMatrixStore<row_major>(&slabs, slab + 0u, c3_2, 32u);
subgroupMatrixStore<row_major>(&slabs, slab + 16u, c3_3, 32u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let m = m0 + subRow + 48u + e / 32u;
let n = n0 + subColumn + 32u + e % 32u;
if (m < p.m && n < p.n) { let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;
let residualAt = (m % p.residualRows) * p.n;
y[m * p.n + n] = f16(clamp(act((slabs[slab + e] + bias[n])) * multiply[m * p.n + n] * gate[gateAt + n] + residual[residualAt + n], -65504.0, 65504.0)); }
}
}
}
