enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { m: u32, n: u32, k: u32, scales: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32, zero: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2u>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
fn scaleWord(i: u32) -> u32 { return b[p.scales + (i >> 2u)][i & 3u]; }
fn scaleOf(i: u32) -> vec2f {
let two = unpack2x16float(scaleWord(i));
return two;
}
fn four(word: u32, scale: vec2f) -> vec4f {
let numbers = vec4u(word, word >> 16u, word >> 4u, word >> 20u) & vec4u(15u);
return vec4f(numbers) * scale.x + scale.y;
}
var<workgroup> partial: array<f32, 128>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
let n0 = workgroup.x * 4u;
let column = min(n0 + local / 16u, p.n - 1u);
let loads = p.k / 8u;
let row0 = min(0u, p.m - 1u) * p.k; var c0 = 0.0;
let row1 = min(1u, p.m - 1u) * p.k; var c1 = 0.0;
for (var first = 0u; first < loads; first += 16u) { switch (p.zero) { case 0u: {
let load = first + local % 16u;
if (load < loads) {
var w = b[column * loads + load];
let scale = scaleOf((column * loads + load) / 2u);
for (var t = 0u; t < 8u; t++) {
{
let k = load * 8u + t;
let q = four(w.x, scale);
c0 += dot(halves(a[row0 + k]), q);
c1 += dot(halves(a[row1 + k]), q);
}
if ((t & 1u) == 0u) { w.x >>= 8u; } else { w = w.yzwx; }
}
}
} default: { return; } } }
partial[0u + local] = c0;
partial[64u + local] = c1;
workgroupBarrier();
for (var e = local; e < 8u; e += 64u) {
let m = e / 4u;
let n = n0 + e % 4u;
if (m < p.m && n < p.n) {
var sum = 0.0;
for (var lane = 0u; lane < 16u; lane++) { sum += partial[e * 16u + lane]; }
y[m * p.n + n] = sum;
}
}
}
