struct Params { queries: u32, keys: u32, dim: u32, heads: u32, qStride: u32, kStride: u32, vStride: u32, outStride: u32, biasStride: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> mask: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
// workgroup: x over queries, y over heads and column blocks, z over the batch. Strides are those of one token.
let head = workgroup.y % p.heads;
let column0 = (workgroup.y / p.heads) * 2u;
let firstQuery = (workgroup.x * 64u + local.x) * 1u;
let headAt = head * p.dim;
let query0 = min(firstQuery + 0u, p.queries - 1u);
let qAt0 = (workgroup.z * p.queries + query0) * p.qStride + headAt;
let biasAt0 = head * p.biasStride + query0 * p.keys;
var top0 = -3.0e38; var sum0 = 0.0;
var o0_0 = vec4f();
var o0_1 = vec4f();
for (var key0 = 0u; key0 < p.keys; key0 += 4u) {
let key0 = min(key0 + 0u, p.keys - 1u);
let key1 = min(key0 + 1u, p.keys - 1u);
let key2 = min(key0 + 2u, p.keys - 1u);
let key3 = min(key0 + 3u, p.keys - 1u);
let kAt0 = (workgroup.z * p.keys + key0) * p.kStride + headAt;
let kAt1 = (workgroup.z * p.keys + key1) * p.kStride + headAt;
let kAt2 = (workgroup.z * p.keys + key2) * p.kStride + headAt;
let kAt3 = (workgroup.z * p.keys + key3) * p.kStride + headAt;
let vAt0 = (workgroup.z * p.keys + key0) * p.vStride + headAt + column0;
let vAt1 = (workgroup.z * p.keys + key1) * p.vStride + headAt + column0;
let vAt2 = (workgroup.z * p.keys + key2) * p.vStride + headAt + column0;
let vAt3 = (workgroup.z * p.keys + key3) * p.vStride + headAt + column0;
let mask0 = mask[workgroup.z * p.keys + key0];
let mask1 = mask[workgroup.z * p.keys + key1];
let mask2 = mask[workgroup.z * p.keys + key2];
let mask3 = mask[workgroup.z * p.keys + key3];
var s0_0 = 0.0;
var s0_1 = 0.0;
var s0_2 = 0.0;
var s0_3 = 0.0;
for (var d = 0u; d < p.dim; d++) {
let q0 = q[qAt0 + d];
let k0 = k[kAt0 + d];
let k1 = k[kAt1 + d];
let k2 = k[kAt2 + d];
let k3 = k[kAt3 + d];
s0_0 += dot(q0, k0);
s0_1 += dot(q0, k1);
s0_2 += dot(q0, k2);
s0_3 += dot(q0, k3);
}
s0_0 = select(-3.4e38, s0_0 * p.scale + bias[biasAt0 + key0] + mask0, key0 + 0u < p.keys);
s0_1 = select(-3.4e38, s0_1 * p.scale + bias[biasAt0 + key1] + mask1, key0 + 1u < p.keys);
s0_2 = select(-3.4e38, s0_2 * p.scale + bias[biasAt0 + key2] + mask2, key0 + 2u < p.keys);
s0_3 = select(-3.4e38, s0_3 * p.scale + bias[biasAt0 + key3] + mask3, key0 + 3u < p.keys);
let next0 = max(top0, max(max(s0_0, s0_1), max(s0_2, s0_3)));
let shrink0 = exp(top0 - next0); top0 = next0;
let w0_0 = exp(s0_0 - next0);
let w0_1 = exp(s0_1 - next0);
let w0_2 = exp(s0_2 - next0);
let w0_3 = exp(s0_3 - next0);
sum0 = sum0 * shrink0 + w0_0 + w0_1 + w0_2 + w0_3;
{ let v0 = v[vAt0 + 0u];
let v1 = v[vAt1 + 0u];
let v2 = v[vAt2 + 0u];
let v3 = v[vAt3 + 0u];
o0_0 = o0_0 * shrink0 + w0_0 * v0 + w0_1 * v1 + w0_2 * v2 + w0_3 * v3; }
{ let v0 = v[vAt0 + 1u];
let v1 = v[vAt1 + 1u];
let v2 = v[vAt2 + 1u];
let v3 = v[vAt3 + 1u];
o0_1 = o0_1 * shrink0 + w0_0 * v0 + w0_1 * v1 + w0_2 * v2 + w0_3 * v3; }
}
if (firstQuery + 0u < p.queries) {
let outAt = (workgroup.z * p.queries + query0) * p.outStride + headAt + column0;
let part = select(0.0, 1.0 / sum0, sum0 > 0.0);
if (column0 + 0u < p.dim) { out[outAt + 0u] = o0_0 * part; }
if (column0 + 1u < p.dim) { out[outAt + 1u] = o0_1 * part; }
if (column0 == 0u) { lse[(workgroup.z * p.heads + head) * p.queries + query0] = top0 + log(sum0); }
}
}
