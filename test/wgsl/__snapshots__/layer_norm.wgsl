struct Params { columns: u32, rows: u32, rowsPerBatch: u32, shiftOffset: u32, scaleOffset: u32, modStride: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> modulation: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
var<workgroup> partial: array<f32, 4>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let row = min(workgroup.y * 65535u + workgroup.x, p.rows - 1u);
let at = row * p.columns;
var part = 0.0;
part = 0.0;
for (var c = local.x; c < p.columns; c += 4u) { let v = x[at + c]; part += v; }
partial[local.x] = part;
workgroupBarrier();
var mean = 0.0;
for (var t = 0u; t < 4u; t++) { mean += partial[t]; }
mean /= f32(p.columns);
workgroupBarrier();
part = 0.0;
for (var c = local.x; c < p.columns; c += 4u) { let v = x[at + c]; part += (v - mean) * (v - mean); }
partial[local.x] = part;
workgroupBarrier();
var variance = 0.0;
for (var t = 0u; t < 4u; t++) { variance += partial[t]; }
variance /= f32(p.columns);
workgroupBarrier();
let scaleBy = inverseSqrt(variance + p.eps);
let modAt = (row / p.rowsPerBatch) * p.modStride;
for (var c = local.x; c < p.columns; c += 4u) {
var v = (x[at + c] - mean) * scaleBy;
v *= weight[c];
v += bias[c];
v *= 1.0 + modulation[modAt + p.scaleOffset + c];
v += modulation[modAt + p.shiftOffset + c];
y[at + c] = v;
}
}
