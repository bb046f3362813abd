struct Params { count: u32, size0: u32, c0: f32, size1: u32, c1: f32, size2: u32, c2: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
var v = 0.0;
v += p.c0 * x0[i % p.size0];
v += p.c1 * x1[i % p.size1];
v += p.c2 * x2[i % p.size2];
y[i] = v;
}
