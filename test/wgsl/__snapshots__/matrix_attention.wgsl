enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
struct Params { queries: u32, keys: u32, heads: u32, stride: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4u>;
@group(0) @binding(2) var<storage, read> k: array<vec4u>;
@group(0) @binding(3) var<storage, read> v: array<vec4u>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f16>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;
const LOG2E = 1.4426950408889634;
var<workgroup> tile: array<vec4<f16>, 1664>;
var<workgroup> scores: array<f32, 4352>;
var<workgroup> weights: array<f16, 4608>;
var<workgroup> factors: array<f32, 64>;
var<workgroup> grown: array<u32, 4>;
@compute @workgroup_size(128) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
let head = workgroup.y;
let batch = workgroup.z;
let query0 = workgroup.x * 64u;
let lane = local % 32u;
let subgroup = local / 32u;
// Two threads share a row of scores, every other column each.
let row = lane / 2u;
let side = lane % 2u;
let scoreAt = (subgroup * 16u + row) * 68u;
let weightAt = (subgroup * 16u + row) * 72u;
let scale = p.scale * LOG2E;
{
let e = local + 0u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 128u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 256u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 384u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 512u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 640u; let row = e / 12u; let word = e % 12u;
let there = query0 + row < p.queries && word < 11u;
let value = select(vec4u(), q[select(0u, (batch * p.queries + query0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
let q0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 0u, 26u);
let q1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 4u, 26u);
let q2 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 8u, 26u);
let q3 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 12u, 26u);
let q4 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 16u, 26u);
let q5 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile, (subgroup * 16u) * 26u + 20u, 26u);
var o0: subgroup_matrix_result<f32, 16, 16>;
var o1: subgroup_matrix_result<f32, 16, 16>;
var o2: subgroup_matrix_result<f32, 16, 16>;
var o3: subgroup_matrix_result<f32, 16, 16>;
var o4: subgroup_matrix_result<f32, 16, 16>;
var o5: subgroup_matrix_result<f32, 16, 16>;
var top = -3.0e38;
var sum = 0.0;
for (var key0 = 0u; key0 < p.keys; key0 += 64u) {
workgroupBarrier();
{
let e = local + 0u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 128u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 256u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 384u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 512u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 640u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), k[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
workgroupBarrier();
{
// Said, since a driver may take a declaration in a loop for one before it.
var s = subgroup_matrix_result<f32, 16, 16>(0.0);
s = subgroupMatrixMultiplyAccumulate(q0, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 0u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q1, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 4u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q2, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 8u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q3, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 12u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q4, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 16u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q5, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (0u) * 26u + 20u, 26u), s);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 0u, s, 68u);
}
{
// Said, since a driver may take a declaration in a loop for one before it.
var s = subgroup_matrix_result<f32, 16, 16>(0.0);
s = subgroupMatrixMultiplyAccumulate(q0, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 0u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q1, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 4u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q2, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 8u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q3, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 12u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q4, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 16u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q5, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (16u) * 26u + 20u, 26u), s);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 16u, s, 68u);
}
{
// Said, since a driver may take a declaration in a loop for one before it.
var s = subgroup_matrix_result<f32, 16, 16>(0.0);
s = subgroupMatrixMultiplyAccumulate(q0, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 0u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q1, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 4u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q2, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 8u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q3, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 12u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q4, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 16u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q5, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (32u) * 26u + 20u, 26u), s);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 32u, s, 68u);
}
{
// Said, since a driver may take a declaration in a loop for one before it.
var s = subgroup_matrix_result<f32, 16, 16>(0.0);
s = subgroupMatrixMultiplyAccumulate(q0, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 0u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q1, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 4u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q2, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 8u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q3, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 12u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q4, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 16u, 26u), s);
s = subgroupMatrixMultiplyAccumulate(q5, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile, (48u) * 26u + 20u, 26u), s);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 48u, s, 68u);
}
workgroupBarrier();
{
let e = local + 0u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 128u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 256u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 384u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 512u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
{
let e = local + 640u; let row = e / 12u; let word = e % 12u;
let there = key0 + row < p.keys && word < 11u;
let value = select(vec4u(), v[select(0u, (batch * p.keys + key0 + row) * p.stride + head * 11u + word, there)], there);
let at = row * 26u + word * 2u;
tile[at] = bitcast<vec4<f16>>(value.xy); tile[at + 1u] = bitcast<vec4<f16>>(value.zw);
}
var most = -3.0e38;
{
let column = 0u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 2u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 4u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 6u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 8u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 10u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 12u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 14u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 16u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 18u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 20u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 22u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 24u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 26u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 28u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 30u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 32u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 34u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 36u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 38u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 40u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 42u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 44u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 46u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 48u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 50u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 52u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 54u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 56u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 58u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 60u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
{
let column = 62u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); most = max(most, s); }
most = max(most, subgroupShuffleXor(most, 1u));
let grows = subgroupAny(most > top + 8.0);
if (lane == 0u) { grown[subgroup] = u32(grows); }
let all = workgroupUniformLoad(&grown);
let raised = all[0] + all[1] + all[2] + all[3] > 0u;
var factor = 1.0;
if (raised) {
let next = max(top, most);
factor = exp2(top - next);
top = next;
sum *= factor;
}
{
let column = 0u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 2u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 4u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 6u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 8u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 10u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 12u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 14u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 16u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 18u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 20u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 22u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 24u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 26u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 28u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 30u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 32u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 34u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 36u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 38u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 40u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 42u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 44u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 46u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 48u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 50u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 52u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 54u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 56u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 58u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 60u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
{
let column = 62u + side; let key = key0 + column;
let s = select(-3.4e38, scores[scoreAt + column] * scale + mask[batch * p.keys + min(key, p.keys - 1u)] * LOG2E, key < p.keys); let w = exp2(s - top); sum += w; weights[weightAt + column] = f16(w); }
if (raised) {
if (side == 0u) { factors[subgroup * 16u + row] = factor; }
workgroupBarrier();
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 0u, o0, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 16u, o1, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 32u, o2, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 48u, o3, 68u);
workgroupBarrier();
for (var e = lane; e < 1024u; e += 32u) {
let r = e / 64u; let column = e % 64u;
let at = (subgroup * 16u + r) * 68u + column;
scores[at] *= factors[subgroup * 16u + r];
}
workgroupBarrier();
o0 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 0u, 68u);
o1 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 16u, 68u);
o2 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 32u, 68u);
o3 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 48u, 68u);
workgroupBarrier();
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 0u, o4, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 16u, o5, 68u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let r = e / 32u; let column = e % 32u;
let at = (subgroup * 16u + r) * 68u + column;
scores[at] *= factors[subgroup * 16u + r];
}
workgroupBarrier();
o4 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 0u, 68u);
o5 = subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>(&scores, subgroup * 1088u + 16u, 68u);
workgroupBarrier();
}
workgroupBarrier();
{
let w = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, subgroup * 1152u + 0u, 72u);
o0 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 0u, 26u), o0);
o1 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 4u, 26u), o1);
o2 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 8u, 26u), o2);
o3 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 12u, 26u), o3);
o4 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 16u, 26u), o4);
o5 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (0u) * 26u + 20u, 26u), o5);
}
{
let w = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, subgroup * 1152u + 16u, 72u);
o0 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 0u, 26u), o0);
o1 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 4u, 26u), o1);
o2 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 8u, 26u), o2);
o3 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 12u, 26u), o3);
o4 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 16u, 26u), o4);
o5 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (16u) * 26u + 20u, 26u), o5);
}
{
let w = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, subgroup * 1152u + 32u, 72u);
o0 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 0u, 26u), o0);
o1 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 4u, 26u), o1);
o2 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 8u, 26u), o2);
o3 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 12u, 26u), o3);
o4 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 16u, 26u), o4);
o5 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (32u) * 26u + 20u, 26u), o5);
}
{
let w = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&weights, subgroup * 1152u + 48u, 72u);
o0 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 0u, 26u), o0);
o1 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 4u, 26u), o1);
o2 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 8u, 26u), o2);
o3 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 12u, 26u), o3);
o4 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 16u, 26u), o4);
o5 = subgroupMatrixMultiplyAccumulate(w, subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile, (48u) * 26u + 20u, 26u), o5);
}
}
let total = sum + subgroupShuffleXor(sum, 1u);
if (side == 0u) { factors[subgroup * 16u + row] = select(0.0, 1.0 / total, total > 0.0); }
{ let query = query0 + subgroup * 16u + row; if (side == 0u && query < p.queries) { lse[(batch * p.heads + head) * p.queries + query] = top / LOG2E + log(total); } }
workgroupBarrier();
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 0u, o0, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 16u, o1, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 32u, o2, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 48u, o3, 68u);
workgroupBarrier();
for (var e = lane; e < 1024u; e += 32u) {
let r = e / 64u; let column = e % 64u;
let at = (subgroup * 16u + r) * 68u + column;
let query = query0 + subgroup * 16u + r;
if (query < p.queries && 0u + column < 88u) {
out[(batch * p.queries + query) * p.stride * 8u + head * 88u + 0u + column] = f16(scores[at] * factors[subgroup * 16u + r]);
}
}
workgroupBarrier();
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 0u, o4, 68u);
subgroupMatrixStore<row_major>(&scores, subgroup * 1088u + 16u, o5, 68u);
workgroupBarrier();
for (var e = lane; e < 512u; e += 32u) {
let r = e / 32u; let column = e % 32u;
let at = (subgroup * 16u + r) * 68u + column;
let query = query0 + subgroup * 16u + r;
if (query < p.queries && 64u + column < 88u) {
out[(batch * p.queries + query) * p.stride * 8u + head * 88u + 64u + column] = f16(scores[at] * factors[subgroup * 16u + r]);
}
}
workgroupBarrier();
}
