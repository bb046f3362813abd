import { unroll } from '../text.ts'

/**
 * Where the rows of a matmul's left operand come from. The multiply-accumulate asks for row i at depth `k` and knows
 * nothing of pictures; a loader knows nothing of products. Depth is counted in elements of `vec` values.
 */
export interface Loader {
  readonly name: string
  /** Uniform fields, in order, before the epilogue's. The first three are always m, n, k. */
  readonly fields: readonly string[]
  /** Code before the loops: constants of each row. */
  readonly rows: string
  /** Opens the loops around depth; `tap` is the offset of this turn in a row of the right operand. */
  readonly open: string
  readonly close: string
  /** Turns of the innermost loop. */
  readonly depth: string
  /** The value of row i at depth k. */
  row(i: number): string
}

const zero = (vec: 1 | 4): string => (vec === 4 ? 'vec4f()' : '0.0')

/** Rows of a matrix [m, k]. Rows past the end read the last one; the epilogue drops them. */
export const matrixRows = (tm: number): Loader => ({
  name: 'rows',
  fields: ['m', 'n', 'k'],
  rows: unroll(tm, (i) => `let row${i} = min(m0 + ${i}u, p.m - 1u) * p.k;`),
  open: '{ let tap = 0u;',
  close: '}',
  depth: 'p.k',
  row: (i) => `a[row${i} + k]`,
})

/**
 * Rows are the pixels of a convolution's output; a row holds the input pixels under the window, channels last:
 * an implicit matmul. x [batch, height, width, channels]; `upsample` reads a picture enlarged by nearest
 * neighbour without making it.
 */
export const windowRows = (tm: number, vec: 1 | 4): Loader => ({
  name: 'window',
  fields: [
    'm',
    'n',
    'k',
    'channels',
    'height',
    'width',
    'outHeight',
    'outWidth',
    'window',
    'stride',
    'pad',
    'upsample',
  ],
  rows: unroll(
    tm,
    (i) => `let pixel${i} = min(m0 + ${i}u, p.m - 1u);
let left${i} = i32((pixel${i} % p.outWidth) * p.stride) - i32(p.pad);
let top${i} = i32((pixel${i} / p.outWidth) % p.outHeight * p.stride) - i32(p.pad);
let image${i} = pixel${i} / (p.outWidth * p.outHeight) * p.height;`,
  ),
  open: `for (var ky = 0u; ky < p.window; ky++) { for (var kx = 0u; kx < p.window; kx++) {
let tap = (ky * p.window + kx) * p.channels;
${unroll(
  tm,
  (i) => `let iy${i} = top${i} + i32(ky); let ix${i} = left${i} + i32(kx);
let inside${i} = iy${i} >= 0 && ix${i} >= 0 && iy${i} < i32(p.height * p.upsample) && ix${i} < i32(p.width * p.upsample);
let row${i} = select(0u, ((image${i} + u32(iy${i}) / p.upsample) * p.width + u32(ix${i}) / p.upsample) * p.channels, inside${i});`,
)}`,
  close: '} }',
  depth: 'p.channels',
  row: (i) => `select(${zero(vec)}, a[row${i} + k], inside${i})`,
})
