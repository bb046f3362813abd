// Softmax of rows of scores, for attention by two matmuls: y = exp((x - max of the row) · scale) not yet divided by its sum, so
// that f16 holds the greatest as 1 and loses nothing of the small ones; and the division, of what came of y. Tiers: all, in
// f32 but for y and out. One workgroup a row. Bindings of `rowSoftmax`: p, x, y, sums, lse; of `divideRows`: p, x, sums, out.
import { arrayOf, enableStored, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/** x [rows, columns] → y [rows, columns], sums [rows], and the natural log-sum-exp of x · scale at lse[firstRow + row]. */
export const rowSoftmax = (y: Stored, workgroup: number): string => `${enableStored(y)}
${uniformBlock(['columns', 'firstRow', 'scale: f32'])}
${bindings(['x', 'array<f32>'], ['y!', arrayOf(y)], ['sums!', 'array<f32>'], ['lse!', 'array<f32>'])}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  let row = workgroup.x;
  let at = row * p.columns;
  var part = x[at];
  for (var c = local.x; c < p.columns; c += ${workgroup}u) { part = max(part, x[at + c]); }
  partial[local.x] = part;
  workgroupBarrier();
  var top = part;
  for (var t = 0u; t < ${workgroup}u; t++) { top = max(top, partial[t]); }
  workgroupBarrier();
  part = 0.0;
  for (var c = local.x; c < p.columns; c += ${workgroup}u) {
    let e = exp((x[at + c] - top) * p.scale);
    part += e;
    y[at + c] = ${toStored(y, 'e')};
  }
  partial[local.x] = part;
  workgroupBarrier();
  if (local.x == 0u) {
    var sum = 0.0;
    for (var t = 0u; t < ${workgroup}u; t++) { sum += partial[t]; }
    sums[row] = sum;
    lse[p.firstRow + row] = top * p.scale + log(sum);
  }
}`

/** out[firstRow + row] = x [rows, columns] / sums[row]. */
export const divideRows = (out: Stored, workgroup: number): string => `${enableStored(out)}
${uniformBlock(['count', 'columns', 'firstRow'])}
${bindings(['x', 'array<f32>'], ['sums', 'array<f32>'], ['out!', arrayOf(out)])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let value = x[i] / sums[i / p.columns];
  out[p.firstRow * p.columns + i] = ${toStored(out, 'value')};
}`
