import { loaded, type Stored } from '../stored.ts'
import { unroll } from '../text.ts'

/**
 * Where the rows of a matmul's left operand come from. The multiply-accumulate asks for row i at depth `k` and knows
 * nothing of pictures; a loader knows nothing of products. Depth is counted in elements of `vec` values.
 */
export interface Loader {
  readonly name: string
  /** Uniform fields, in order, before the epilogue's. The first three are always m, n, k. */
  readonly fields: readonly string[]
  /** Code before the loop over depth: constants of each row. */
  readonly rows: string
  /** `let name =` the value of the i-th loaded row at depth k. */
  row(i: number, name: string): string
  /** Code after a turn of the loop. */
  readonly advance: string
}

/** How many rows a thread loads, and which row of the operand the i-th of them is. */
export interface LoadedRows {
  readonly count: number
  at(i: number): string
}

/** Rows of a matrix [m, k]. Rows past the end read the last one; the epilogue drops them. */
export const matrixRows = ({ count, at }: LoadedRows, stored: Stored, vec: 1 | 4): Loader => ({
  name: 'rows',
  fields: ['m', 'n', 'k'],
  rows: unroll(count, (i) => `let row${i} = min(${at(i)}, p.m - 1u) * p.k;`),
  row: (i, name) => `let ${name} = ${loaded(stored, `a[row${i} + k]`, vec)};`,
  advance: '',
})

/**
 * Rows are the pixels of a convolution's output; a row holds the input pixels under the window, channels last:
 * an implicit matmul. x [batch, height, width, channels]; enlarged 2^`enlarge` times by nearest neighbour without
 * making the larger picture; `above` rows of the larger one are there for the windows of the first rows. One flat loop: nested ones over the window made a software driver compile for a minute.
 */
export const windowRows = ({ count, at }: LoadedRows, stored: Stored, vec: 1 | 4): Loader => ({
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
    'enlarge',
    'above',
  ],
  rows: `
let bottom = i32(p.height << p.enlarge);
let right = i32(p.width << p.enlarge);
var wx = 0; var wy = 0; var channel = 0u;
${unroll(
  count,
  (i) => `let pixel${i} = min(${at(i)}, p.m - 1u);
let left${i} = i32((pixel${i} % p.outWidth) * p.stride) - i32(p.pad);
let top${i} = i32((pixel${i} / p.outWidth) % p.outHeight * p.stride + p.above) - i32(p.pad);
let image${i} = pixel${i} / (p.outWidth * p.outHeight) * p.height;`,
)}`,
  row: (i, name) => `let ${name}y = top${i} + wy; let ${name}x = left${i} + wx;
let ${name}inside = (${name}y >= 0) & (${name}x >= 0) & (${name}y < bottom) & (${name}x < right);
let ${name}row = (image${i} + (u32(${name}y) >> p.enlarge)) * p.width;
let ${name}at = (${name}row + (u32(${name}x) >> p.enlarge)) * p.channels + channel;
let ${name} = select(${vec === 4 ? 'vec4f()' : '0.0'}, ${loaded(stored, `a[select(0u, ${name}at, ${name}inside)]`, vec)}, ${name}inside);`,
  advance: `
channel += 1u;
let nextPixel = channel == p.channels;
channel = select(channel, 0u, nextPixel);
wx += i32(nextPixel);
let nextRow = wx == i32(p.window);
wx = select(wx, 0, nextRow);
wy += i32(nextRow);`,
})
