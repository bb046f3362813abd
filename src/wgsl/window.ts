// Copies rows of one array into rows of another, bit for bit: shares of heads, tokens and pictures are cut out and put
// together with it. Tiers: all; as many bytes at a time as everything is a multiple of. Bindings: p, x, y.
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/** What is copied at a time, by its bytes. f16 at odd places has none but itself. */
export const COPY_UNITS = { 16: 'vec4u', 8: 'vec2u', 4: 'u32', 2: 'f16' } as const
export type CopyBytes = keyof typeof COPY_UNITS

export const copyRowsName = (bytes: CopyBytes, workgroup: number): string => `copyRows.${bytes}.w${workgroup}`

/** y[row · yStride + yOffset + column] = x[row · xStride + xOffset + column], all counted in units. */
export const copyRows = (bytes: CopyBytes, workgroup: number): string => {
  const array = `array<${COPY_UNITS[bytes]}>`
  return `${bytes === 2 ? 'enable f16;' : ''}
${uniformBlock(['count', 'columns', 'xStride', 'xOffset', 'yStride', 'yOffset'])}
${bindings(['x', array], ['y!', array])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let row = i / p.columns;
  let column = i % p.columns;
  y[row * p.yStride + p.yOffset + column] = x[row * p.xStride + p.xOffset + column];
}`
}
