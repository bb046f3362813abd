// How kernels read and write numbers that storage buffers hold as f32 or f16. They compute in f32 either way: half the
// bytes move, and sums lose nothing.

/** The type of a storage buffer's numbers. */
export type Stored = 'f32' | 'f16'

/** Begins a kernel that has buffers of these types; `enable` directives of its own come before. */
export const enableStored = (...types: readonly Stored[]): string =>
  types.includes('f16')
    ? `enable f16;
fn halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
`
    : ''

/** The type of a storage buffer that is written `vec` numbers at a time. */
export const arrayOf = (stored: Stored, vec: 1 | 4 = 1): string =>
  vec === 4 ? `array<vec4<${stored}>>` : `array<${stored}>`

/**
 * The type of one that is read so. Four f16 are read as two words: a software driver fetches component by component, and
 * takes 1.6 times as long for four (lavapipe, linear of 128 x 1280 x 320).
 */
export const readArrayOf = (stored: Stored, vec: 1 | 4 = 1): string =>
  stored === 'f16' && vec === 4 ? 'array<vec2u>' : arrayOf(stored, vec)

/** An element of a buffer that is read, as f32 or vec4f. */
export const loaded = (stored: Stored, element: string, vec: 1 | 4 = 1): string =>
  stored === 'f32' ? element : vec === 4 ? `halves(${element})` : `f32(${element})`

/** The greatest f16. What is greater would become infinite, and WGSL lets a driver assume that nothing is. */
const GREATEST = '65504.0'

/** An f32 or vec4f as an element of such a buffer. */
export const toStored = (stored: Stored, value: string, vec: 1 | 4 = 1): string => {
  if (stored === 'f32') return value
  return vec === 4
    ? `vec4<f16>(clamp(${value}, vec4f(-${GREATEST}), vec4f(${GREATEST})))`
    : `f16(clamp(${value}, -${GREATEST}, ${GREATEST}))`
}
