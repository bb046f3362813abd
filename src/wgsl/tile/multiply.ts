import { loaded, type Stored } from '../stored.ts'
import { unroll } from '../text.ts'
import type { LoadedRows, Loader } from './loader.ts'
import type { TileShape } from './shape.ts'

/** Which rows of the left operand a thread loads: all of its tile's, or its share of them in a quad. */
export const loadedRows = ({ tm, quads }: TileShape): LoadedRows =>
  quads ? { count: Math.ceil(tm / 4), at: (i) => `m0 + ${4 * i}u + lane` } : { count: tm, at: (i) => `m0 + ${i}u` }

/**
 * Sums `c{i}_{j}` over depth in registers: tm rows of `a` against tn rows of `b` [n, k]. Both are read straight from
 * storage, `vec` values at a time: each value loaded serves tm or tn products, and no barrier is needed.
 */
export function multiplyTile(loader: Loader, tile: TileShape, stored: Stored, vec: 1 | 4): string {
  const { tm, tn, lx, quads } = tile
  const load = quads
    ? unroll(loadedRows(tile).count, (i) => loader.row(i, `r${i}`)) +
      unroll(tm, (i) => `let a${i} = quadBroadcast(r${i >> 2}, ${i & 3}u);`)
    : unroll(tm, (i) => loader.row(i, `a${i}`))
  const product = (i: number): string =>
    vec === 4 ? ['x', 'y', 'z', 'w'].map((c) => `a${i}.${c} * b.${c}`).join(' + ') : `a${i} * b`
  return `
${loader.rows}
${unroll(tn, (j) => `let column${j} = min(n0 + ${j * lx}u, p.n - 1u) * p.k;`)}
${unroll(tm, (i) => unroll(tn, (j) => `var c${i}_${j} = 0.0;`))}
for (var k = 0u; k < p.k; k++) {
  ${load}
  ${unroll(tn, (j) => `{ let b = ${loaded(stored, `b[column${j} + k]`, vec)}; ${unroll(tm, (i) => `c${i}_${j} += ${product(i)};`)} }`)}
  ${loader.advance}
}`
}
