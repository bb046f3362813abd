// How kernels read and write numbers that storage buffers hold as f32 or f16. They compute in f32 either way: half the
// bytes move, and sums lose nothing.

/** The type of a storage buffer's numbers. */
export type Stored = 'f32' | 'f16'

/** First line of a kernel that has buffers of these types. */
export const enableStored = (...types: readonly Stored[]): string => (types.includes('f16') ? 'enable f16;\n' : '')

/** The type of a storage buffer read `vec` numbers at a time. */
export const arrayOf = (stored: Stored, vec: 1 | 4 = 1): string =>
  vec === 4 ? `array<vec4<${stored}>>` : `array<${stored}>`

/** An element of such a buffer as f32 or vec4f. */
export const loaded = (stored: Stored, element: string, vec: 1 | 4 = 1): string =>
  stored === 'f32' ? element : vec === 4 ? `vec4f(${element})` : `f32(${element})`

/** The greatest f16. What is greater would become infinite, and WGSL lets a driver assume that nothing is. */
const GREATEST = '65504.0'

/** An f32 or vec4f as an element of such a buffer. */
export const toStored = (stored: Stored, value: string, vec: 1 | 4 = 1): string => {
  if (stored === 'f32') return value
  return vec === 4
    ? `vec4<f16>(clamp(${value}, vec4f(-${GREATEST}), vec4f(${GREATEST})))`
    : `f16(clamp(${value}, -${GREATEST}, ${GREATEST}))`
}
