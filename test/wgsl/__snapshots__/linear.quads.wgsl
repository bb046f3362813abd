enable subgroups;
struct Params { m: u32, n: u32, k: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
let lane = invocation & 3u;
let m0 = (workgroup.y * 1u + local.y) * 2u;
let n0 = workgroup.x * 8u + local.x;
let row0 = min(m0 + 0u + lane, p.m - 1u) * p.k;
let column0 = min(n0 + 0u, p.n - 1u) * p.k;
let column1 = min(n0 + 4u, p.n - 1u) * p.k;
var c0_0 = 0.0;
var c0_1 = 0.0;
var c1_0 = 0.0;
var c1_1 = 0.0;
for (var k = 0u; k < p.k; k += 2u) {
let r0_0 = a[row0 + k];let a0_0 = quadBroadcast(r0_0, 0u);
let a1_0 = quadBroadcast(r0_0, 1u);
let r0_1 = a[row0 + k + 1u];let a0_1 = quadBroadcast(r0_1, 0u);
let a1_1 = quadBroadcast(r0_1, 1u);
{ let b0 = b[column0 + k];
let b1 = b[column0 + k + 1u];
c0_0 += a0_0.x * b0.x + a0_0.y * b0.y + a0_0.z * b0.z + a0_0.w * b0.w + a0_1.x * b1.x + a0_1.y * b1.y + a0_1.z * b1.z + a0_1.w * b1.w;
c1_0 += a1_0.x * b0.x + a1_0.y * b0.y + a1_0.z * b0.z + a1_0.w * b0.w + a1_1.x * b1.x + a1_1.y * b1.y + a1_1.z * b1.z + a1_1.w * b1.w; }
{ let b0 = b[column1 + k];
let b1 = b[column1 + k + 1u];
c0_1 += a0_0.x * b0.x + a0_0.y * b0.y + a0_0.z * b0.z + a0_0.w * b0.w + a0_1.x * b1.x + a0_1.y * b1.y + a0_1.z * b1.z + a0_1.w * b1.w;
c1_1 += a1_0.x * b0.x + a1_0.y * b0.y + a1_0.z * b0.z + a1_0.w * b0.w + a1_1.x * b1.x + a1_1.y * b1.y + a1_1.z * b1.z + a1_1.w * b1.w; }
}
var sums: array<f32, 4>;
sums[0] = c0_0;
sums[1] = c0_1;
sums[2] = c1_0;
sums[3] = c1_1;
for (var i = 0u; i < 2u; i++) {
let m = m0 + i;
if (m < p.m) {
for (var j = 0u; j < 2u; j++) { let n = n0 + j * 4u; if (n < p.n) { y[m * p.n + n] = sums[i * 2u + j]; } }
}
}
}
