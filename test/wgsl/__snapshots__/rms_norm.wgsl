enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { columns: u32, rows: u32, rowsPerBatch: u32, shiftOffset: u32, scaleOffset: u32, modStride: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f16>;
var<workgroup> partial: array<f32, 128>;
@compute @workgroup_size(128, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let row = min(workgroup.y * 65535u + workgroup.x, p.rows - 1u);
let at = row * p.columns;
var part = 0.0;
let mean = 0.0;
part = 0.0;
for (var c = local.x; c < p.columns; c += 128u) { let v = x[at + c]; part += (v - mean) * (v - mean); }
partial[local.x] = part;
workgroupBarrier();
var variance = 0.0;
for (var t = 0u; t < 128u; t++) { variance += partial[t]; }
variance /= f32(p.columns);
workgroupBarrier();
let scaleBy = inverseSqrt(variance + p.eps);
for (var c = local.x; c < p.columns; c += 128u) {
var v = (x[at + c] - mean) * scaleBy;
v *= weight[c];
y[at + c] = f16(clamp(v, -65504.0, 65504.0));
}
}
