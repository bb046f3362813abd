struct Params { size: u32, by: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> prompted: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
var<workgroup> partial: array<f32, 64>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let at = workgroup.x * p.size;
var part = 0.0;
part = 0.0;
for (var i = local.x; i < p.size; i += 64u) { part += prompted[at + i]; }
partial[local.x] = part;
workgroupBarrier();
var promptedMean = 0.0;
for (var t = 0u; t < 64u; t++) { promptedMean += partial[t]; }
workgroupBarrier();
promptedMean /= f32(p.size);
part = 0.0;
for (var i = local.x; i < p.size; i += 64u) { part += (prompted[at + i] - promptedMean) * (prompted[at + i] - promptedMean); }
partial[local.x] = part;
workgroupBarrier();
var promptedSquares = 0.0;
for (var t = 0u; t < 64u; t++) { promptedSquares += partial[t]; }
workgroupBarrier();
part = 0.0;
for (var i = local.x; i < p.size; i += 64u) { part += x[at + i]; }
partial[local.x] = part;
workgroupBarrier();
var xMean = 0.0;
for (var t = 0u; t < 64u; t++) { xMean += partial[t]; }
workgroupBarrier();
xMean /= f32(p.size);
part = 0.0;
for (var i = local.x; i < p.size; i += 64u) { part += (x[at + i] - xMean) * (x[at + i] - xMean); }
partial[local.x] = part;
workgroupBarrier();
var xSquares = 0.0;
for (var t = 0u; t < 64u; t++) { xSquares += partial[t]; }
workgroupBarrier();
let factor = p.by * sqrt(promptedSquares / xSquares) + 1.0 - p.by;
for (var i = local.x; i < p.size; i += 64u) { y[at + i] = x[at + i] * factor; }
}
