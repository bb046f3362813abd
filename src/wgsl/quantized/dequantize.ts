// How kernels read weights of few bits: `b` is an array of vec4u, numbers row by row from its beginning and scales from
// `p.scales` on. Numbers of a word are in pairs that lie 16 bits apart: v0 and v1 in the lowest bits of each half, v2 and
// v3 above them, and so on, so that one mask takes out both. With symmetric groups two scales f16 share a word, else a word
// has a scale and an offset.
import type { WeightFormat } from './format.ts'

/** `scaleOf(i)`: the scale of group i and the offset. */
export const scaleFunction = ({ bits, symmetric }: WeightFormat): string =>
  symmetric
    ? `fn scaleOf(i: u32) -> vec2f {
  let two = unpack2x16float(b[p.scales + (i >> 3u)][(i >> 1u) & 3u]);
  let scale = select(two.x, two.y, (i & 1u) == 1u);
  return vec2f(scale, ${-(2 ** (bits - 1))}.0 * scale);
}`
    : 'fn scaleOf(i: u32) -> vec2f { return unpack2x16float(b[p.scales + (i >> 2u)][i & 3u]); }'

/** `four(word, scale)`: the first four values of a word, exactly in f32; the next four of 4 bits are those of word >> 8. */
export const fourFunction = ({ bits }: WeightFormat): string =>
  `fn four(word: u32, scale: vec2f) -> vec4f {
  let numbers = vec4u(word, word >> 16u, word >> ${bits}u, word >> ${16 + bits}u) & vec4u(${2 ** bits - 1}u);
  return vec4f(numbers) * scale.x + scale.y;
}`

/** Fours in a word. */
export const foursOfWord = ({ bits }: WeightFormat): number => 8 / bits
