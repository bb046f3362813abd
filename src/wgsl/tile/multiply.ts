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
export function multiplyTile(loader: Loader, tile: TileShape, vec: 1 | 4): string {
  const { tm, tn, lx, quads, steps } = tile
  const depth = (s: number) => (s === 0 ? 'k' : `k + ${s}u`)
  const load = (s: number): string =>
    quads
      ? unroll(loadedRows(tile).count, (i) => loader.row(i, `r${i}_${s}`, depth(s))) +
        unroll(tm, (i) => `let a${i}_${s} = quadBroadcast(r${i >> 2}_${s}, ${i & 3}u);`)
      : unroll(tm, (i) => loader.row(i, `a${i}_${s}`, depth(s)))
  const product = (i: number, s: number): string =>
    vec === 4 ? ['x', 'y', 'z', 'w'].map((c) => `a${i}_${s}.${c} * b${s}.${c}`).join(' + ') : `a${i}_${s} * b${s}`
  const products = (i: number): string => Array.from({ length: steps }, (_, s) => product(i, s)).join(' + ')
  return `
${loader.rows}
${unroll(tn, (j) => `let column${j} = min(n0 + ${j * lx}u, p.n - 1u) * p.k;`)}
${unroll(tm, (i) => unroll(tn, (j) => `var c${i}_${j} = 0.0;`))}
for (var k = 0u; k < p.k; k += ${steps}u) {
  ${unroll(steps, (s) => `${load(s)}\n${loader.advance}`)}
  ${unroll(
    tn,
    (j) => `{ ${unroll(steps, (s) => `let b${s} = b[column${j} + ${depth(s)}];`)}
${unroll(tm, (i) => `c${i}_${j} += ${products(i)};`)} }`,
  )}
}`
}
