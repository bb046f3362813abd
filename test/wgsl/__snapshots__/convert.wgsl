struct Params { words: u32, count: u32, first: u32, channels: u32, window: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> raw: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.words) { return; }
let word = raw[i];
let values = array<f32, 2>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
for (var t = 0u; t < 2u; t++) {
let at = i * 2u + t;
if (at >= p.count) { return; }
let source = p.first + at;
let target_ = ((source / (p.channels * p.window)) * p.window + source % p.window) * p.channels + (source / p.window) % p.channels;
y[target_] = values[t];
}
}
