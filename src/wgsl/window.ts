// Copies rows of one array into rows of another: shares of heads, tokens and pictures are cut out and put together with
// it. Tiers: all, in f32 and f16, four at a time where everything is a multiple of four. Bindings: p, x, y.
import { arrayOf, enableStored, type Stored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const copyRowsName = (stored: Stored, vec: 1 | 4, workgroup: number): string =>
  `copyRows.${stored}x${vec}.w${workgroup}`

/** y[row · yStride + yOffset + column] = x[row · xStride + xOffset + column], all counted in elements of `vec` values. */
export const copyRows = (stored: Stored, vec: 1 | 4, workgroup: number): string => `${enableStored(stored)}
${uniformBlock(['count', 'columns', 'xStride', 'xOffset', 'yStride', 'yOffset'])}
${bindings(['x', arrayOf(stored, vec)], ['y!', arrayOf(stored, vec)])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let row = i / p.columns;
  let column = i % p.columns;
  y[row * p.yStride + p.yOffset + column] = x[row * p.xStride + p.xOffset + column];
}`
