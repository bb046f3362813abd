import { unroll } from '../text.ts'
import type { Loader } from '../tile/loader.ts'
import { addProducts, declareSums, loadRows } from '../tile/multiply.ts'
import type { TileShape } from '../tile/shape.ts'
import { foursOfWord } from './dequantize.ts'
import { loadsOfGroup, type WeightFormat } from './format.ts'

/**
 * As multiplyTile, for columns of few bits: a scale is read once a group and 16 bytes of each column at a time, four values
 * of which meet the rows in turn. Each value is made once for the tm rows of a thread. The loops stay rolled, so that a
 * driver that compiles slowly sees the products once.
 */
export function multiplyQuantizedTile(loader: Loader, tile: TileShape, format: WeightFormat): string {
  const { tn, lx } = tile
  const fours = foursOfWord(format)
  const loads = loadsOfGroup(format)
  return `
${loader.rows}
${unroll(tn, (j) => `let column${j} = min(n0 + ${j * lx}u, p.n - 1u);`)}
${declareSums(tile)}
let groups = p.k / ${format.group / 4}u;
var k = 0u;
for (var group = 0u; group < groups; group++) {
  ${unroll(tn, (j) => `let s${j} = scaleOf(column${j} * groups + group);`)}
  for (var load = group * ${loads}u; load < (group + 1u) * ${loads}u; load++) {
    ${unroll(tn, (j) => `var w${j} = b[column${j} * groups * ${loads}u + load];`)}
    for (var four_ = 0u; four_ < ${4 * fours}u; four_++) {
      ${loadRows(loader, tile)}
      ${unroll(tn, (j) => `{ let b = four(w${j}.x, s${j}); ${addProducts(tile, j, 4)} }`)}
      ${advance(tn, fours)}
      k++;
      ${loader.advance}
    }
  }
}`
}

/** Brings the next four values of each load to the lowest bits of its first word. */
const advance = (tn: number, fours: number): string =>
  fours === 1
    ? unroll(tn, (j) => `w${j} = w${j}.yzwx;`)
    : `if ((four_ & 1u) == 0u) { ${unroll(tn, (j) => `w${j}.x >>= 8u;`)} } else { ${unroll(tn, (j) => `w${j} = w${j}.yzwx;`)} }`
