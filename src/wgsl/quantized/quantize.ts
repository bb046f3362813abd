// Values of a file to a weight of few bits, as they are loaded: a thread a group. Tiers: all. Bindings: p, raw (a chunk of the
// file, whole groups), y (the whole tensor). Symmetric groups are as Q4_0 and Q8_0 of ggml have them, others as Q4_1, with 255
// steps where there are 8 bits: the value of the greatest magnitude, or the least and the greatest, are on the scale.
import { type FileType, unpacked, valuesOfWord } from '../convert.ts'
import { enableStored, type Stored, toStored } from '../stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from '../text.ts'
import { formatName, type WeightFormat } from './format.ts'

/** What is made of groups: numbers with scales, or what they stand for, where a rank keeps a group in parts. */
export type Quantized = 'packed' | Stored

export const quantizeName = (type: FileType, format: WeightFormat, to: Quantized, workgroup: number): string =>
  `quantize.${type}=${formatName(format)}.${to}.w${workgroup}`

export function quantize(type: FileType, format: WeightFormat, to: Quantized, workgroup: number): string {
  const { bits, group, symmetric } = format
  const perWord = valuesOfWord(type)
  return `${to === 'packed' ? '' : enableStored(to)}
${uniformBlock(['count', 'first', 'groups', 'begin', 'kept', 'begin2', 'kept2', 'scales'])}
${bindings(['raw', 'array<u32>'], ['y!', to === 'packed' ? 'array<atomic<u32>>' : `array<${to}>`])}
fn value(at: u32) -> f32 {
  let word = raw[at / ${perWord}u];
  let values = ${unpacked(type)};
  return values[at % ${perWord}u];
}
${HALF_BITS}
${DIVIDED}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let begin = i * ${group}u;
  var least = value(begin);
  var greatest = least;
  for (var t = 1u; t < ${group}u; t++) {
    let v = value(begin + t);
    ${
      symmetric
        ? 'if (abs(v) > abs(greatest)) { greatest = v; }'
        : `least = min(least, v);
    greatest = max(greatest, v);`
    }
  }
  let scale = ${symmetric ? (bits === 4 ? 'greatest / -8.0' : 'divided(abs(greatest), 127.0)') : `divided(greatest - least, ${2 ** bits - 1}.0)`};
  let inverse = select(divided(1.0, scale), 0.0, scale == 0.0);
  ${to === 'packed' ? packed(format) : parts(format, to)}
}
${number(format)}`
}

/**
 * The nearest number; of two the greater, or that of the greater magnitude for Q8_0, as ggml has it. What is compared is the
 * rounded product, which no driver can fuse with a sum: every device finds the same number.
 */
const number = ({ bits, symmetric }: WeightFormat): string =>
  `fn number(v: f32, inverse: f32, least: f32) -> u32 {
  let exact = ${symmetric ? (bits === 8 ? 'abs(v * inverse)' : 'v * inverse') : '(v - least) * inverse'};
  let below = floor(exact);
  let nearest = select(below, below + 1.0, exact >= below + 0.5);
  return u32(clamp(${symmetric ? (bits === 8 ? 'sign(v) * nearest + 128.0' : 'nearest + 8.0') : 'nearest'}, 0.0, ${2 ** bits - 1}.0));
}`

/** Which group of what is kept this one is: the `at`-th of all, where a row keeps groups of one place or two. */
const PLACE = `let all = p.first + i;
  let column = all % p.groups;
  // Wraps round below its beginning, and is beyond what is kept then.
  let one = column - p.begin;
  let two = column - p.begin2;
  if (one >= p.kept && two >= p.kept2) { return; }
  let at = (all / p.groups) * (p.kept + p.kept2) + select(p.kept + two, one, one < p.kept);`

function packed(format: WeightFormat): string {
  const { bits, group, symmetric } = format
  const perWord = 32 / bits
  return `${PLACE}
  for (var w = 0u; w < ${group / perWord}u; w++) {
    var word = 0u;
    for (var t = 0u; t < ${perWord}u; t++) {
      let q = number(value(begin + w * ${perWord}u + t), inverse, least);
      word |= q << ((t & 1u) * 16u + (t >> 1u) * ${bits}u);
    }
    atomicStore(&y[at * ${group / perWord}u + w], word);
  }
  ${
    symmetric
      ? 'atomicOr(&y[p.scales + (at >> 1u)], halfBits(scale) << ((at & 1u) * 16u));'
      : 'atomicStore(&y[p.scales + at], halfBits(scale) | (halfBits(least) << 16u));'
  }`
}

/** Columns [begin, begin + kept) of a row are kept, and [begin2, begin2 + kept2), wherever groups begin. */
function parts({ bits, group, symmetric }: WeightFormat, to: Stored): string {
  return `let scaled = unpack2x16float(halfBits(scale)).x;
  let offset = ${symmetric ? `${-(2 ** (bits - 1))}.0 * scaled` : 'unpack2x16float(halfBits(least)).x'};
  let all = p.first + i;
  for (var t = 0u; t < ${group}u; t++) {
    let column = (all % p.groups) * ${group}u + t;
    let one = column - p.begin;
    let two = column - p.begin2;
    if (one >= p.kept && two >= p.kept2) { continue; }
    let at = (all / p.groups) * (p.kept + p.kept2) + select(p.kept + two, one, one < p.kept);
    let v = f32(number(value(begin + t), inverse, least)) * scaled + offset;
    y[at] = ${toStored(to, 'v')};
  }`
}

/** The bits of the f16 nearest to an f32, ties to even, the same on every device: WGSL leaves its own rounding open. */
const HALF_BITS = `fn halfBits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  var half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
  // Below 2^-14 steps are 2^-24, which are those of an f32 from 0.5 on.
  if (magnitude < 0x38800000u) { half = bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u; }
  if (magnitude >= 0x477ff000u) { half = 0x7bffu; }
  return half | ((bits >> 16u) & 0x8000u);
}`

/** a / b rounded to the nearest f32, ties to even, the same on every device: WGSL's own may be 2.5 units off. Subnormals are 0. */
const DIVIDED = `fn divided(a: f32, b: f32) -> f32 {
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
}`
