enable subgroups;
struct Params { m: u32, n: u32, k: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
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
for (var k = 0u; k < p.k; k++) {
let r0 = a[row0 + k];let a0 = quadBroadcast(r0, 0u);
let a1 = quadBroadcast(r0, 1u);
{ let b = b[column0 + k]; c0_0 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_0 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
{ let b = b[column1 + k]; c0_1 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_1 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
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
