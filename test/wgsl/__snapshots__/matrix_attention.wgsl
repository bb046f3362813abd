enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
struct Params { queries: u32, keys: u32, heads: u32, stride: u32, scale: f32, zero: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4u>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f16>>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;
const LOG2E = 1.4426950408889634;
var<workgroup> tile_k: array<vec4<f16>, 832>;
var<workgroup> tile_v: array<vec4<f16>, 832>;
var<workgroup> scores: array<vec4f, 1152>;
var<workgroup> weights: array<vec4<f16>, 1280>;
var<workgroup> factors: array<f32, 128>;
var<workgroup> grown: array<u32, 8>;
@compute @workgroup_size(256) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u) {
let head = workgroup.y;
let batch = workgroup.z;
let query0 = workgroup.x * 128u;
let lane = local % 32u;
let subgroup = local / 32u;
let group = subgroup / 2u;
let share = subgroup % 2u;
// In the softmax a query's keys belong to as many threads as subgroups share it.
let row = local / 2u;
let part = local % 2u;
let scale = p.scale * LOG2E;
let e0 = min(local + 0u, 383u); let row0 = e0 / 12u; let word0 = e0 % 12u; let at0 = row0 * 26u + word0 * 2u;
let e1 = min(local + 256u, 383u); let row1 = e1 / 12u; let word1 = e1 % 12u; let at1 = row1 * 26u + word1 * 2u;
var q0_0: subgroup_matrix_left<f16, 16, 16>;
var q0_1: subgroup_matrix_left<f16, 16, 16>;
var q0_2: subgroup_matrix_left<f16, 16, 16>;
var q0_3: subgroup_matrix_left<f16, 16, 16>;
var q0_4: subgroup_matrix_left<f16, 16, 16>;
var q0_5: subgroup_matrix_left<f16, 16, 16>;
var q1_0: subgroup_matrix_left<f16, 16, 16>;
var q1_1: subgroup_matrix_left<f16, 16, 16>;
var q1_2: subgroup_matrix_left<f16, 16, 16>;
var q1_3: subgroup_matrix_left<f16, 16, 16>;
var q1_4: subgroup_matrix_left<f16, 16, 16>;
var q1_5: subgroup_matrix_left<f16, 16, 16>;
workgroupBarrier();
for (var e = local; e < 384u; e += 256u) {
let r = e / 12u; let word = e % 12u; let query = query0 + 0u + r;
let there = query < p.queries && word < 11u;
let value = select(vec4u(), q[(batch * p.queries + min(query, p.queries - 1u)) * p.stride + head * 11u + word], there);
let at = r * 26u + word * 2u;
tile_k[at] = bitcast<vec4<f16>>(value.xy); tile_k[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
if (group == 0u) { q0_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 0u, 26u);
q0_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 4u, 26u);
q0_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 8u, 26u);
q0_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 12u, 26u);
q0_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 16u, 26u);
q0_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 20u, 26u);
q1_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 0u, 26u);
q1_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 4u, 26u);
q1_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 8u, 26u);
q1_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 12u, 26u);
q1_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 16u, 26u);
q1_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 20u, 26u); }
workgroupBarrier();
for (var e = local; e < 384u; e += 256u) {
let r = e / 12u; let word = e % 12u; let query = query0 + 32u + r;
let there = query < p.queries && word < 11u;
let value = select(vec4u(), q[(batch * p.queries + min(query, p.queries - 1u)) * p.stride + head * 11u + word], there);
let at = r * 26u + word * 2u;
tile_k[at] = bitcast<vec4<f16>>(value.xy); tile_k[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
if (group == 1u) { q0_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 0u, 26u);
q0_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 4u, 26u);
q0_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 8u, 26u);
q0_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 12u, 26u);
q0_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 16u, 26u);
q0_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 20u, 26u);
q1_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 0u, 26u);
q1_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 4u, 26u);
q1_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 8u, 26u);
q1_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 12u, 26u);
q1_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 16u, 26u);
q1_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 20u, 26u); }
workgroupBarrier();
for (var e = local; e < 384u; e += 256u) {
let r = e / 12u; let word = e % 12u; let query = query0 + 64u + r;
let there = query < p.queries && word < 11u;
let value = select(vec4u(), q[(batch * p.queries + min(query, p.queries - 1u)) * p.stride + head * 11u + word], there);
let at = r * 26u + word * 2u;
tile_k[at] = bitcast<vec4<f16>>(value.xy); tile_k[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
if (group == 2u) { q0_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 0u, 26u);
q0_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 4u, 26u);
q0_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 8u, 26u);
q0_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 12u, 26u);
q0_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 16u, 26u);
q0_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 20u, 26u);
q1_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 0u, 26u);
q1_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 4u, 26u);
q1_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 8u, 26u);
q1_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 12u, 26u);
q1_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 16u, 26u);
q1_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 20u, 26u); }
workgroupBarrier();
for (var e = local; e < 384u; e += 256u) {
let r = e / 12u; let word = e % 12u; let query = query0 + 96u + r;
let there = query < p.queries && word < 11u;
let value = select(vec4u(), q[(batch * p.queries + min(query, p.queries - 1u)) * p.stride + head * 11u + word], there);
let at = r * 26u + word * 2u;
tile_k[at] = bitcast<vec4<f16>>(value.xy); tile_k[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
if (group == 3u) { q0_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 0u, 26u);
q0_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 4u, 26u);
q0_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 8u, 26u);
q0_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 12u, 26u);
q0_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 16u, 26u);
q0_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (0u) * 26u + 20u, 26u);
q1_0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 0u, 26u);
q1_1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 4u, 26u);
q1_2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 8u, 26u);
q1_3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 12u, 26u);
q1_4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 16u, 26u);
q1_5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_k, (16u) * 26u + 20u, 26u); }
var o0_0: subgroup_matrix_result<f32, 16, 16>;
var o0_1: subgroup_matrix_result<f32, 16, 16>;
var o0_2: subgroup_matrix_result<f32, 16, 16>;
var o1_0: subgroup_matrix_result<f32, 16, 16>;
var o1_1: subgroup_matrix_result<f32, 16, 16>;
var o1_2: subgroup_matrix_result<f32, 16, 16>;
var k0: vec4u; var v0: vec4u;
var k1: vec4u; var v1: vec4u;
var top = -3.0e38;
var sum = 0.0;
let blocks = (p.keys + 31u) / 32u;
var key0 = (workgroup.x * blocks / count.x) * 32u;
workgroupBarrier();
k0 = k[(batch * p.keys + min(key0 + row0, p.keys - 1u)) * p.stride + head * 11u + word0];
k1 = k[(batch * p.keys + min(key0 + row1, p.keys - 1u)) * p.stride + head * 11u + word1];
tile_k[at0] = bitcast<vec4<f16>>(k0.xy); tile_k[at0 + 1u] = bitcast<vec4<f16>>(k0.zw);
tile_k[at1] = bitcast<vec4<f16>>(k1.xy); tile_k[at1 + 1u] = bitcast<vec4<f16>>(k1.zw);
workgroupBarrier();
for (var turn = 0u; turn < blocks; turn++) { switch (p.zero) { case 0u: {
let after = select(0u, key0 + 32u, key0 + 32u < p.keys);
v0 = v[(batch * p.keys + min(key0 + row0, p.keys - 1u)) * p.stride + head * 11u + word0];
v1 = v[(batch * p.keys + min(key0 + row1, p.keys - 1u)) * p.stride + head * 11u + word1];
{
let key = share * 16u + 0u;
// Said, since a driver may take a declaration in a loop for one before it.
var s0 = subgroup_matrix_result<f32, 16, 16>(0.0);
var s1 = subgroup_matrix_result<f32, 16, 16>(0.0);
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 0u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_0, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_0, right, s1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 4u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_1, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_1, right, s1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 8u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_2, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_2, right, s1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 12u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_3, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_3, right, s1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 16u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_4, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_4, right, s1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_k, (key) * 26u + 20u, 26u); s0 = subgroupMatrixMultiplyAccumulate(q0_5, right, s0);
s1 = subgroupMatrixMultiplyAccumulate(q1_5, right, s1); }
subgroupMatrixStore<row_major>(&scores, ((group * 32u + 0u) * 36u + key) / 4u, s0, 9u);
subgroupMatrixStore<row_major>(&scores, ((group * 32u + 16u) * 36u + key) / 4u, s1, 9u);
}
workgroupBarrier();
k0 = k[(batch * p.keys + min(after + row0, p.keys - 1u)) * p.stride + head * 11u + word0];
k1 = k[(batch * p.keys + min(after + row1, p.keys - 1u)) * p.stride + head * 11u + word1];
tile_v[at0] = bitcast<vec4<f16>>(v0.xy); tile_v[at0 + 1u] = bitcast<vec4<f16>>(v0.zw);
tile_v[at1] = bitcast<vec4<f16>>(v1.xy); tile_v[at1 + 1u] = bitcast<vec4<f16>>(v1.zw);
var s0 = scores[row * 9u + 0u + part] * scale + vec4f(mask[batch * p.keys + min(key0 + (0u + part) * 4u + 0u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (0u + part) * 4u + 1u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (0u + part) * 4u + 2u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (0u + part) * 4u + 3u, p.keys - 1u)]) * LOG2E;
var s1 = scores[row * 9u + 2u + part] * scale + vec4f(mask[batch * p.keys + min(key0 + (2u + part) * 4u + 0u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (2u + part) * 4u + 1u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (2u + part) * 4u + 2u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (2u + part) * 4u + 3u, p.keys - 1u)]) * LOG2E;
var s2 = scores[row * 9u + 4u + part] * scale + vec4f(mask[batch * p.keys + min(key0 + (4u + part) * 4u + 0u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (4u + part) * 4u + 1u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (4u + part) * 4u + 2u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (4u + part) * 4u + 3u, p.keys - 1u)]) * LOG2E;
var s3 = scores[row * 9u + 6u + part] * scale + vec4f(mask[batch * p.keys + min(key0 + (6u + part) * 4u + 0u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (6u + part) * 4u + 1u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (6u + part) * 4u + 2u, p.keys - 1u)], mask[batch * p.keys + min(key0 + (6u + part) * 4u + 3u, p.keys - 1u)]) * LOG2E;
if (key0 + 32u > p.keys) { s0 = select(vec4f(-3.4e38), s0, vec4u(0u, 1u, 2u, 3u) + (key0 + (0u + part) * 4u) < vec4u(p.keys));
s1 = select(vec4f(-3.4e38), s1, vec4u(0u, 1u, 2u, 3u) + (key0 + (2u + part) * 4u) < vec4u(p.keys));
s2 = select(vec4f(-3.4e38), s2, vec4u(0u, 1u, 2u, 3u) + (key0 + (4u + part) * 4u) < vec4u(p.keys));
s3 = select(vec4f(-3.4e38), s3, vec4u(0u, 1u, 2u, 3u) + (key0 + (6u + part) * 4u) < vec4u(p.keys)); }
var most4 = s0;
most4 = max(most4, s1);
most4 = max(most4, s2);
most4 = max(most4, s3);
var most = max(max(most4.x, most4.y), max(most4.z, most4.w));
most = max(most, subgroupShuffleXor(most, 1u));
let grows = most > top + 8.0;
var factor = 1.0;
if (grows) { factor = exp2(top - most); top = most; sum *= factor; }
if (part == 0u) { factors[row] = factor; }
var added = vec4f();
let w0 = exp2(s0 - top); added += w0; weights[row * 10u + 0u + part] = vec4<f16>(w0);
let w1 = exp2(s1 - top); added += w1; weights[row * 10u + 2u + part] = vec4<f16>(w1);
let w2 = exp2(s2 - top); added += w2; weights[row * 10u + 4u + part] = vec4<f16>(w2);
let w3 = exp2(s3 - top); added += w3; weights[row * 10u + 6u + part] = vec4<f16>(w3);
sum += added.x + added.y + added.z + added.w;
let any = subgroupAny(grows);
if (lane == 0u) { grown[subgroup] = u32(any); }
tile_k[at0] = bitcast<vec4<f16>>(k0.xy); tile_k[at0 + 1u] = bitcast<vec4<f16>>(k0.zw);
tile_k[at1] = bitcast<vec4<f16>>(k1.xy); tile_k[at1 + 1u] = bitcast<vec4<f16>>(k1.zw);
let all = workgroupUniformLoad(&grown);
if (all[0]
+ all[1]
+ all[2]
+ all[3]
+ all[4]
+ all[5]
+ all[6]
+ all[7] > 0u && turn > 0u) {
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_0, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 0u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o0_0 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_0, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 0u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o1_0 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_1, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 1u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o0_1 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_1, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 1u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o1_1 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_2, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 2u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o0_2 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_2, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 2u) * 16u + (e % 4u) * 4u;
scores[at] *= factors[r];
}
workgroupBarrier();
o1_2 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 144u, 4u); workgroupBarrier();
}
}
{
let w0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, (group * 32u + 0u) * 10u + 0u, 10u);
let w1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, (group * 32u + 16u) * 10u + 0u, 10u);
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (0u) * 26u + (share * 3u + 0u) * 4u, 26u); o0_0 = subgroupMatrixMultiplyAccumulate(w0, right, o0_0);
o1_0 = subgroupMatrixMultiplyAccumulate(w1, right, o1_0); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (0u) * 26u + (share * 3u + 1u) * 4u, 26u); o0_1 = subgroupMatrixMultiplyAccumulate(w0, right, o0_1);
o1_1 = subgroupMatrixMultiplyAccumulate(w1, right, o1_1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (0u) * 26u + (share * 3u + 2u) * 4u, 26u); o0_2 = subgroupMatrixMultiplyAccumulate(w0, right, o0_2);
o1_2 = subgroupMatrixMultiplyAccumulate(w1, right, o1_2); }
}
{
let w0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, (group * 32u + 0u) * 10u + 4u, 10u);
let w1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, (group * 32u + 16u) * 10u + 4u, 10u);
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (16u) * 26u + (share * 3u + 0u) * 4u, 26u); o0_0 = subgroupMatrixMultiplyAccumulate(w0, right, o0_0);
o1_0 = subgroupMatrixMultiplyAccumulate(w1, right, o1_0); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (16u) * 26u + (share * 3u + 1u) * 4u, 26u); o0_1 = subgroupMatrixMultiplyAccumulate(w0, right, o0_1);
o1_1 = subgroupMatrixMultiplyAccumulate(w1, right, o1_1); }
{ let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_v, (16u) * 26u + (share * 3u + 2u) * 4u, 26u); o0_2 = subgroupMatrixMultiplyAccumulate(w0, right, o0_2);
o1_2 = subgroupMatrixMultiplyAccumulate(w1, right, o1_2); }
}
key0 = after;
} default: { return; } } }
let total = sum + subgroupShuffleXor(sum, 1u);
workgroupBarrier();
if (part == 0u) { factors[row] = select(0.0, 1.0 / total, total > 0.0); }
if (part == 0u && query0 + row < p.queries) { lse[(batch * p.heads + head) * p.queries + query0 + row] = top / LOG2E + log(total); }
workgroupBarrier();
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_0, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 0u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_0, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 0u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_1, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 1u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_1, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 1u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o0_2, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 0u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 2u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
{
subgroupMatrixStore<row_major>(&scores, subgroup * 144u, o1_2, 4u);
workgroupBarrier();
for (var e = lane; e < 64u; e += 32u) {
let r = group * 32u + 16u + e / 4u; let at = subgroup * 144u + e;
let column = (share * 3u + 2u) * 16u + (e % 4u) * 4u;
let query = query0 + r;
if (query < p.queries && column < 88u) { out[((batch * p.queries + query) * p.stride * 8u + head * 88u + column) / 4u] = vec4<f16>(scores[at] * factors[r]); }
}
workgroupBarrier();
}
}
