struct Params { count: u32, parts: u32, channels: u32, groupChannels: u32, between: u32, stride: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> factors: array<vec4f>;
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
let picture = i / p.channels;
let channel = i % p.channels;
var at = picture * p.between + channel / p.groupChannels * 3u;
var count = 0.0;
var mean = 0.0;
var squares = 0.0;
for (var part = 0u; part < p.parts; part++) {
let more = moments[at];
let all = count + more;
let apart = moments[at + 1u] - mean;
mean += apart * (more / all);
squares += moments[at + 2u] + apart * apart * (count * (more / all));
count = all;
at += p.stride;
}
let factor = weight[channel] * inverseSqrt(squares / count + p.eps);
factors[i] = vec4f(mean, factor, bias[channel], 0.0);
}
