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
  const { tn, lx } = tile
  return `
${loader.rows}
${unroll(tn, (j) => `let column${j} = min(n0 + ${j * lx}u, p.n - 1u) * p.k;`)}
${declareSums(tile)}
for (var k = 0u; k < p.k; k++) {
  ${loadRows(loader, tile)}
  ${unroll(tn, (j) => `{ let b = ${loaded(stored, `b[column${j} + k]`, vec)}; ${addProducts(tile, j, vec)} }`)}
  ${loader.advance}
}`
}

export const declareSums = ({ tm, tn }: TileShape): string =>
  unroll(tm, (i) => unroll(tn, (j) => `var c${i}_${j} = 0.0;`))

/** `let a{i} =` the values of the tile's rows at depth k. */
export const loadRows = (loader: Loader, tile: TileShape): string =>
  tile.quads
    ? unroll(loadedRows(tile).count, (i) => loader.row(i, `r${i}`)) +
      unroll(tile.tm, (i) => `let a${i} = quadBroadcast(r${i >> 2}, ${i & 3}u);`)
    : unroll(tile.tm, (i) => loader.row(i, `a${i}`))

/** Adds to the sums of column j what all rows have with its value `b`. */
export function addProducts({ tm }: TileShape, j: number, vec: 1 | 4): string {
  const product = (i: number): string =>
    vec === 4 ? ['x', 'y', 'z', 'w'].map((c) => `a${i}.${c} * b.${c}`).join(' + ') : `a${i} * b`
  return unroll(tm, (i) => `c${i}_${j} += ${product(i)};`)
}
