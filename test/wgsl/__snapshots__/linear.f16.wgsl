enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { m: u32, n: u32, k: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2u>;
@group(0) @binding(2) var<storage, read> b: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let m0 = (workgroup.y * 1u + local.y) * 2u;
let n0 = workgroup.x * 8u + local.x;
let row0 = min(m0 + 0u, p.m - 1u) * p.k;
let row1 = min(m0 + 1u, p.m - 1u) * p.k;
let column0 = min(n0 + 0u, p.n - 1u) * p.k;
let column1 = min(n0 + 4u, p.n - 1u) * p.k;
var c0_0 = 0.0;
var c0_1 = 0.0;
var c1_0 = 0.0;
var c1_1 = 0.0;
for (var k = 0u; k < p.k; k++) {
let a0 = halves(a[row0 + k]);
let a1 = halves(a[row1 + k]);
{ let b = halves(b[column0 + k]); c0_0 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_0 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
{ let b = halves(b[column1 + k]); c0_1 += a0.x * b.x + a0.y * b.y + a0.z * b.z + a0.w * b.w;
c1_1 += a1.x * b.x + a1.y * b.y + a1.z * b.z + a1.w * b.w; }
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
