import { unroll } from '../text.ts'
import type { Loader } from './loader.ts'
import type { TileShape } from './shape.ts'

/**
 * Sums `c{i}_{j}` over depth in registers: tm rows of `a` against tn rows of `b` [n, k]. Both are read straight from
 * storage, `vec` values at a time: each value loaded serves tm or tn products, and no barrier is needed.
 */
export function multiplyTile(loader: Loader, { tm, tn, lx }: TileShape, vec: 1 | 4): string {
  const product = (i: number): string =>
    vec === 4 ? ['x', 'y', 'z', 'w'].map((s) => `a${i}.${s} * b.${s}`).join(' + ') : `a${i} * b`
  return `
${loader.rows}
${unroll(tn, (j) => `let column${j} = min(n0 + ${j * lx}u, p.n - 1u) * p.k;`)}
${unroll(tm, (i) => unroll(tn, (j) => `var c${i}_${j} = 0.0;`))}
${loader.open}
for (var k = 0u; k < ${loader.depth}; k++) {
  ${unroll(tm, (i) => `let a${i} = ${loader.row(i)};`)}
  ${unroll(tn, (j) => `{ let b = b[column${j} + tap + k]; ${unroll(tm, (i) => `c${i}_${j} += ${product(i)};`)} }`)}
}
${loader.close}`
}
