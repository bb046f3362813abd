enable f16;
struct Params { count: u32, columns: u32, xStride: u32, xOffset: u32, yStride: u32, yOffset: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f16>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>;
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
let row = i / p.columns;
let column = i % p.columns;
y[row * p.yStride + p.yOffset + column] = x[row * p.xStride + p.xOffset + column];
}
