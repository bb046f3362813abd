enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { words: u32, count: u32, first: u32, columns: u32, begin: u32, kept: u32, begin2: u32, kept2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> raw: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.words) { return; }
let word = raw[i];
let values = array<f32, 2>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
for (var t = 0u; t < 2u; t++) {
let at = i * 2u + t;
if (at >= p.count) { return; }
let source = p.first + at;
let column = source % p.columns;
// Wraps round below its beginning, and is beyond what is kept then.
let one = column - p.begin;
let two = column - p.begin2;
if (one >= p.kept && two >= p.kept2) { continue; }
let target_ = (source / p.columns) * (p.kept + p.kept2) + select(p.kept + two, one, one < p.kept);
y[target_] = f16(clamp(values[t], -65504.0, 65504.0));
}
}
