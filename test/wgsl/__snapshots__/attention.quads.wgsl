enable subgroups;
struct Params { queries: u32, keys: u32, dim: u32, heads: u32, qStride: u32, kStride: u32, vStride: u32, outStride: u32, biasStride: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
let lane = invocation & 3u;
let head = workgroup.y % p.heads;
let column0 = (workgroup.y / p.heads) * 4u + lane;
let firstQuery = workgroup.x * 4u;
let headAt = head * p.dim;
let qAt0 = (workgroup.z * p.queries + min(firstQuery + 0u + lane, p.queries - 1u)) * p.qStride + headAt;
let vColumn0 = headAt + min(column0 + 0u, p.dim - 1u);
var top0 = -3.0e38; var sum0 = 0.0;
var top1 = -3.0e38; var sum1 = 0.0;
var top2 = -3.0e38; var sum2 = 0.0;
var top3 = -3.0e38; var sum3 = 0.0;
var o0_0 = vec4f();
var o1_0 = vec4f();
var o2_0 = vec4f();
var o3_0 = vec4f();
for (var key0 = 0u; key0 < p.keys; key0 += 4u) {
let key = min(key0 + lane, p.keys - 1u);
let kAt = (workgroup.z * p.keys + key) * p.kStride + headAt;
let maskOfKey = mask[workgroup.z * p.keys + key];
var s0 = 0.0;
var s1 = 0.0;
var s2 = 0.0;
var s3 = 0.0;
for (var d = 0u; d < p.dim; d++) {
let kd = k[kAt + d];
let q0 = q[qAt0 + d];
s0 += dot(kd, quadBroadcast(q0, 0u));
s1 += dot(kd, quadBroadcast(q0, 1u));
s2 += dot(kd, quadBroadcast(q0, 2u));
s3 += dot(kd, quadBroadcast(q0, 3u));
}
s0 = select(-3.4e38, s0 * p.scale + maskOfKey, key0 + lane < p.keys);
let next0 = max(top0, max(max(quadBroadcast(s0, 0u), quadBroadcast(s0, 1u)), max(quadBroadcast(s0, 2u), quadBroadcast(s0, 3u))));
let shrink0 = exp(top0 - next0); top0 = next0;
let w0 = exp(s0 - next0);
sum0 = sum0 * shrink0 + w0;
o0_0 *= shrink0;
s1 = select(-3.4e38, s1 * p.scale + maskOfKey, key0 + lane < p.keys);
let next1 = max(top1, max(max(quadBroadcast(s1, 0u), quadBroadcast(s1, 1u)), max(quadBroadcast(s1, 2u), quadBroadcast(s1, 3u))));
let shrink1 = exp(top1 - next1); top1 = next1;
let w1 = exp(s1 - next1);
sum1 = sum1 * shrink1 + w1;
o1_0 *= shrink1;
s2 = select(-3.4e38, s2 * p.scale + maskOfKey, key0 + lane < p.keys);
let next2 = max(top2, max(max(quadBroadcast(s2, 0u), quadBroadcast(s2, 1u)), max(quadBroadcast(s2, 2u), quadBroadcast(s2, 3u))));
let shrink2 = exp(top2 - next2); top2 = next2;
let w2 = exp(s2 - next2);
sum2 = sum2 * shrink2 + w2;
o2_0 *= shrink2;
s3 = select(-3.4e38, s3 * p.scale + maskOfKey, key0 + lane < p.keys);
let next3 = max(top3, max(max(quadBroadcast(s3, 0u), quadBroadcast(s3, 1u)), max(quadBroadcast(s3, 2u), quadBroadcast(s3, 3u))));
let shrink3 = exp(top3 - next3); top3 = next3;
let w3 = exp(s3 - next3);
sum3 = sum3 * shrink3 + w3;
o3_0 *= shrink3;
{
let vAt = (workgroup.z * p.keys + min(key0 + 0u, p.keys - 1u)) * p.vStride;
let weight0 = quadBroadcast(w0, 0u);
let weight1 = quadBroadcast(w1, 0u);
let weight2 = quadBroadcast(w2, 0u);
let weight3 = quadBroadcast(w3, 0u);
{ let vc = v[vAt + vColumn0]; o0_0 += weight0 * vc;
o1_0 += weight1 * vc;
o2_0 += weight2 * vc;
o3_0 += weight3 * vc; }
}
{
let vAt = (workgroup.z * p.keys + min(key0 + 1u, p.keys - 1u)) * p.vStride;
let weight0 = quadBroadcast(w0, 1u);
let weight1 = quadBroadcast(w1, 1u);
let weight2 = quadBroadcast(w2, 1u);
let weight3 = quadBroadcast(w3, 1u);
{ let vc = v[vAt + vColumn0]; o0_0 += weight0 * vc;
o1_0 += weight1 * vc;
o2_0 += weight2 * vc;
o3_0 += weight3 * vc; }
}
{
let vAt = (workgroup.z * p.keys + min(key0 + 2u, p.keys - 1u)) * p.vStride;
let weight0 = quadBroadcast(w0, 2u);
let weight1 = quadBroadcast(w1, 2u);
let weight2 = quadBroadcast(w2, 2u);
let weight3 = quadBroadcast(w3, 2u);
{ let vc = v[vAt + vColumn0]; o0_0 += weight0 * vc;
o1_0 += weight1 * vc;
o2_0 += weight2 * vc;
o3_0 += weight3 * vc; }
}
{
let vAt = (workgroup.z * p.keys + min(key0 + 3u, p.keys - 1u)) * p.vStride;
let weight0 = quadBroadcast(w0, 3u);
let weight1 = quadBroadcast(w1, 3u);
let weight2 = quadBroadcast(w2, 3u);
let weight3 = quadBroadcast(w3, 3u);
{ let vc = v[vAt + vColumn0]; o0_0 += weight0 * vc;
o1_0 += weight1 * vc;
o2_0 += weight2 * vc;
o3_0 += weight3 * vc; }
}
}
{
let query = firstQuery + 0u;
let sum = quadBroadcast(sum0, 0u) + quadBroadcast(sum0, 1u) + quadBroadcast(sum0, 2u) + quadBroadcast(sum0, 3u);
if (query < p.queries) {
let outAt = (workgroup.z * p.queries + query) * p.outStride + headAt + column0;
let part = select(0.0, 1.0 / sum, sum > 0.0);
if (column0 + 0u < p.dim) { out[outAt + 0u] = o0_0 * part; }
}
}
{
let query = firstQuery + 1u;
let sum = quadBroadcast(sum1, 0u) + quadBroadcast(sum1, 1u) + quadBroadcast(sum1, 2u) + quadBroadcast(sum1, 3u);
if (query < p.queries) {
let outAt = (workgroup.z * p.queries + query) * p.outStride + headAt + column0;
let part = select(0.0, 1.0 / sum, sum > 0.0);
if (column0 + 0u < p.dim) { out[outAt + 0u] = o1_0 * part; }
}
}
{
let query = firstQuery + 2u;
let sum = quadBroadcast(sum2, 0u) + quadBroadcast(sum2, 1u) + quadBroadcast(sum2, 2u) + quadBroadcast(sum2, 3u);
if (query < p.queries) {
let outAt = (workgroup.z * p.queries + query) * p.outStride + headAt + column0;
let part = select(0.0, 1.0 / sum, sum > 0.0);
if (column0 + 0u < p.dim) { out[outAt + 0u] = o2_0 * part; }
}
}
{
let query = firstQuery + 3u;
let sum = quadBroadcast(sum3, 0u) + quadBroadcast(sum3, 1u) + quadBroadcast(sum3, 2u) + quadBroadcast(sum3, 3u);
if (query < p.queries) {
let outAt = (workgroup.z * p.queries + query) * p.outStride + headAt + column0;
let part = select(0.0, 1.0 / sum, sum > 0.0);
if (column0 + 0u < p.dim) { out[outAt + 0u] = o3_0 * part; }
}
}
}
