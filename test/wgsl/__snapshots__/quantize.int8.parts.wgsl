enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
struct Params { count: u32, first: u32, groups: u32, begin: u32, kept: u32, begin2: u32, kept2: u32, scales: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> raw: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>;
fn value(at: u32) -> f32 {
let word = raw[at / 2u];
let values = array<f32, 2>(unpack2x16float(word).x, unpack2x16float(word).y);
return values[at % 2u];
}
fn halfBits(x: f32) -> u32 {
let bits = bitcast<u32>(x);
let magnitude = bits & 0x7fffffffu;
var half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
// Below 2^-14 steps are 2^-24, which are those of an f32 from 0.5 on.
if (magnitude < 0x38800000u) { half = bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u; }
if (magnitude >= 0x477ff000u) { half = 0x7bffu; }
return half | ((bits >> 16u) & 0x8000u);
}
fn divided(a: f32, b: f32) -> f32 {
let x = bitcast<u32>(a);
let y = bitcast<u32>(b);
let xExponent = i32((x >> 23u) & 255u);
let yExponent = i32((y >> 23u) & 255u);
let by = (y & 0x7fffffu) | 0x800000u;
var rest = (x & 0x7fffffu) | 0x800000u;
let less = rest < by;
rest = select(rest, rest << 1u, less);
let exponent = xExponent - yExponent + select(127, 126, less);
if (xExponent == 0 || yExponent == 0 || exponent <= 0) { return 0.0; }
if (exponent >= 255) { return 3.4e38; }
var quotient = 0u;
for (var i = 0u; i < 24u; i++) {
let fits = rest >= by;
quotient = (quotient << 1u) | u32(fits);
rest = select(rest, rest - by, fits) << 1u;
}
quotient += u32(rest > by || (rest == by && (quotient & 1u) == 1u));
return bitcast<f32>(((x ^ y) & 0x80000000u) | ((u32(exponent) << 23u) + quotient - 0x800000u));
}
@compute @workgroup_size(64, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 64u + local.x;
if (i >= p.count) { return; }
let begin = i * 32u;
var least = value(begin);
var greatest = least;
for (var t = 1u; t < 32u; t++) {
let v = value(begin + t);
if (abs(v) > abs(greatest)) { greatest = v; }
}
let scale = divided(abs(greatest), 127.0);
let inverse = select(divided(1.0, scale), 0.0, scale == 0.0);
let scaled = unpack2x16float(halfBits(scale)).x;
let offset = -128.0 * scaled;
let all = p.first + i;
for (var t = 0u; t < 32u; t++) {
let column = (all % p.groups) * 32u + t;
let one = column - p.begin;
let two = column - p.begin2;
if (one >= p.kept && two >= p.kept2) { continue; }
let at = (all / p.groups) * (p.kept + p.kept2) + select(p.kept + two, one, one < p.kept);
let v = f32(number(value(begin + t), inverse, least)) * scaled + offset;
y[at] = f16(clamp(v, -65504.0, 65504.0));
}
}
fn number(v: f32, inverse: f32, least: f32) -> u32 {
let exact = abs(v * inverse);
let below = floor(exact);
let nearest = select(below, below + 1.0, exact >= below + 0.5);
return u32(clamp(sign(v) * nearest + 128.0, 0.0, 255.0));
}
