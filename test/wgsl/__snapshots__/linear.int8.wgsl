struct Params { m: u32, n: u32, k: u32, scales: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
fn scaleWord(i: u32) -> u32 { return b[p.scales + (i >> 3u)][(i >> 1u) & 3u]; }
fn scaleOf(i: u32) -> vec2f {
let two = unpack2x16float(scaleWord(i));
let scale = select(two.x, two.y, (i & 1u) == 1u);
return vec2f(scale, -128.0 * scale);
}
fn four(word: u32, scale: vec2f) -> vec4f {
let numbers = vec4u(word, word >> 16u, word >> 8u, word >> 24u) & vec4u(255u);
return vec4f(numbers) * scale.x + scale.y;
}
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let m0 = (workgroup.y * 1u + local.y) * 2u;
let n0 = workgroup.x * 8u + local.x;
let row0 = min(m0 + 0u, p.m - 1u) * p.k;
let row1 = min(m0 + 1u, p.m - 1u) * p.k;
let column0 = min(n0 + 0u, p.n - 1u);
let column1 = min(n0 + 4u, p.n - 1u);
var c0_0 = 0.0;
var c0_1 = 0.0;
var c1_0 = 0.0;
var c1_1 = 0.0;
let groups = p.k / 8u;
var k = 0u;
for (var group = 0u; group < groups; group++) {
let s0 = scaleOf(column0 * groups + group);
let s1 = scaleOf(column1 * groups + group);
for (var load = group * 2u; load < (group + 1u) * 2u; load++) {
var w0 = b[column0 * groups * 2u + load];
var w1 = b[column1 * groups * 2u + load];
for (var four_ = 0u; four_ < 4u; four_++) {
let a0 = a[row0 + k];
let a1 = a[row1 + k];
{ let b = four(w0.x, s0); c0_0 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_0 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
{ let b = four(w1.x, s1); c0_1 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_1 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
w0 = w0.yzwx;
w1 = w1.yzwx;
k++;
}
}
}
{
let m = m0 + 0u;
if (m < p.m) {
{ let n = n0 + 0u * 4u; if (n < p.n) { y[m * p.n + n] = c0_0; } }
{ let n = n0 + 1u * 4u; if (n < p.n) { y[m * p.n + n] = c0_1; } }
}
}
{
let m = m0 + 1u;
if (m < p.m) {
{ let n = n0 + 0u * 4u; if (n < p.n) { y[m * p.n + n] = c1_0; } }
{ let n = n0 + 1u * 4u; if (n < p.n) { y[m * p.n + n] = c1_1; } }
}
}
}
