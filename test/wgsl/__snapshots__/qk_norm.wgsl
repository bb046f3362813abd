enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { count: u32, dim: u32, heads: u32, tokens: u32, firstPlace: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> cos_: array<vec4f>;
@group(0) @binding(5) var<storage, read> sin_: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f16>>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.count) { return; }
let at = i * p.dim;
var sum = 0.0;
for (var d = 0u; d < p.dim; d++) { sum += dot(x[at + d], vec4f(1)); }
let mean = sum / f32(p.dim * 4u);
sum = 0.0;
for (var d = 0u; d < p.dim; d++) { let v = x[at + d] - mean; sum += dot(v, v); }
let scaleBy = inverseSqrt(sum / f32(p.dim * 4u) + p.eps);
let place = (p.firstPlace + (i / p.heads) % p.tokens) * p.dim;
for (var d = 0u; d < p.dim; d++) {
var v = (x[at + d] - mean) * scaleBy * weight[d] + bias[d];
v = v * cos_[place + d] + vec4f(-v.y, v.x, -v.w, v.z) * sin_[place + d];
y[at + d] = vec4<f16>(clamp(v, vec4f(-65504.0), vec4f(65504.0)));
}
}
