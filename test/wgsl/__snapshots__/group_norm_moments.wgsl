struct Params { pixels: u32, channels: u32, groupChannels: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;
var<workgroup> partial: array<f32, 4>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let count = p.pixels * p.groupChannels;
let channel0 = workgroup.x * p.groupChannels;
let at = workgroup.y * p.pixels * p.channels + channel0;
var part = 0.0;
part = 0.0;
for (var t = local.x; t < count; t += 4u) {
let v = x[at + (t / p.groupChannels) * p.channels + t % p.groupChannels];
part += v;
}
partial[local.x] = part;
workgroupBarrier();
var mean = 0.0;
for (var t = 0u; t < 4u; t++) { mean += partial[t]; }
workgroupBarrier();
mean /= f32(count);
part = 0.0;
for (var t = local.x; t < count; t += 4u) {
let v = x[at + (t / p.groupChannels) * p.channels + t % p.groupChannels];
part += (v - mean) * (v - mean);
}
partial[local.x] = part;
workgroupBarrier();
var squares = 0.0;
for (var t = 0u; t < 4u; t++) { squares += partial[t]; }
workgroupBarrier();
if (local.x == 0u) {
let out = (workgroup.y * p.groups + workgroup.x) * 3u;
moments[out] = f32(count);
moments[out + 1u] = mean;
moments[out + 2u] = squares;
}
}
