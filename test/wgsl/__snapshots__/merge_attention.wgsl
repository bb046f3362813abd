enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { count: u32, queries: u32, heads: u32, dim: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> aOut: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> aLse: array<f32>;
@group(0) @binding(3) var<storage, read> bOut: array<vec2u>;
@group(0) @binding(4) var<storage, read> bLse: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.count) { return; }
let head = (i / p.dim) % p.heads;
let query = (i / (p.dim * p.heads)) % p.queries;
let batch = i / (p.dim * p.heads * p.queries);
let at = (batch * p.heads + head) * p.queries + query;
let lead = max(aLse[at], -3.0e38) - max(bLse[at], -3.0e38);
let weight = exp(-abs(lead));
let va = aOut[i];
let vb = halves(bOut[i]);
let more = select(vb, va, lead >= 0.0);
let less = select(va, vb, lead >= 0.0);
let merged = select(more, more + weight / (1.0 + weight) * (less - more), weight > 0.0);
out[i] = merged;
if (i % p.dim == 0u) { lse[at] = max(aLse[at], bLse[at]) + log(1.0 + weight); }
}
