// How kernels read weights of few bits: `b` is an array of vec4u, numbers row by row from its beginning and scales from
// `p.scales` on. Numbers of a word are in pairs that lie 16 bits apart: v0 and v1 in the lowest bits of each half, v2 and
// v3 above them, and so on, so that one mask takes out both. With symmetric groups two scales f16 share a word, else a word
// has a scale and an offset.
import { unroll } from '../text.ts'
import type { WeightFormat } from './format.ts'

/** `scaleWord(i)`: the word with the scale of group i. */
export const scaleWordFunction = ({ symmetric }: WeightFormat): string =>
  symmetric
    ? 'fn scaleWord(i: u32) -> u32 { return b[p.scales + (i >> 3u)][(i >> 1u) & 3u]; }'
    : 'fn scaleWord(i: u32) -> u32 { return b[p.scales + (i >> 2u)][i & 3u]; }'

/** `scaleOf(i)`: the scale of group i and the offset, as f32. */
export const scaleFunction = (format: WeightFormat): string => `${scaleWordFunction(format)}
fn scaleOf(i: u32) -> vec2f {
  let two = unpack2x16float(scaleWord(i));
  ${
    format.symmetric
      ? `let scale = select(two.x, two.y, (i & 1u) == 1u);
  return vec2f(scale, ${-zeroOf(format)}.0 * scale);`
      : 'return two;'
  }
}`

/** `four(word, scale)`: the first four values of a word, exactly in f32; the next four of 4 bits are those of word >> 8. */
export const fourFunction = ({ bits }: WeightFormat): string =>
  `fn four(word: u32, scale: vec2f) -> vec4f {
  let numbers = vec4u(word, word >> 16u, word >> ${bits}u, word >> ${16 + bits}u) & vec4u(${2 ** bits - 1}u);
  return vec4f(numbers) * scale.x + scale.y;
}`

/** Fours in a word. */
export const foursOfWord = ({ bits }: WeightFormat): number => 8 / bits

/**
 * The same for matrix units, whose operands are f16: `scaleIn(word, i)` of a word that `scaleWord` gave, and `halves{t}(word,
 * scale)` for each four of a word. A number below the 1024 of an f16, whose last bit is 1, is that f16's fraction (Kim et al.
 * 2022), so that two take a mask, a difference and a product.
 */
export const halvesFunctions = (format: WeightFormat): string => `${scaleWordFunction(format)}
fn scaleIn(word: u32, i: u32) -> vec2<f16> {
  let two = bitcast<vec2<f16>>(word);
  ${
    format.symmetric
      ? `let scale = select(two.x, two.y, (i & 1u) == 1u);
  return vec2<f16>(scale, ${-zeroOf(format)}.0h * scale);`
      : 'return two;'
  }
}
fn pair(word: u32, scale: vec2<f16>) -> vec2<f16> {
  let numbers = bitcast<vec2<f16>>((word & ${format.bits === 4 ? '0x000f000fu' : '0x00ff00ffu'}) | 0x64006400u) - vec2<f16>(1024.0h);
  return fma(numbers, scale.xx, scale.yy);
}
${unroll(
  foursOfWord(format),
  (t) =>
    `fn halves${t}(word: u32, scale: vec2<f16>) -> vec4<f16> { return vec4<f16>(pair(word >> ${2 * t * format.bits}u, scale), pair(word >> ${(2 * t + 1) * format.bits}u, scale)); }`,
)}`

/** The number that stands for zero in symmetric groups. */
const zeroOf = ({ bits }: WeightFormat): number => 2 ** (bits - 1)
