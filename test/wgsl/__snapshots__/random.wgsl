enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { count: u32, seed: u32, mean: f32, spread: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f16>;
fn hash(v: u32) -> u32 {
let state = v * 747796405u + 2891336453u;
let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
return (word >> 22u) ^ word;
}
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.count) { return; }
let u = f32(hash(i ^ p.seed) >> 8u) * (2.0 / 16777216.0) - 1.0;
y[i] = f16(clamp(p.mean + p.spread * u, -65504.0, 65504.0));
}
