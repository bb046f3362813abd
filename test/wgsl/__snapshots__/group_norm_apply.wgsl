enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { count: u32, pixels: u32, channels: u32, above: u32, margin: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> factors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f16>;
fn act(x: f32) -> f32 { return x / (1.0 + exp(-x)); }
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
let picture = i / (p.pixels * p.channels);
let f = factors[picture * p.channels + i % p.channels];
let v = (x[i] - f.x) * f.y + f.z;
y[i + picture * p.margin + p.above] = f16(clamp(act(v), -65504.0, 65504.0));
}
