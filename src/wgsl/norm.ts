// Layer norm and RMS norm over rows, with adaLN modulation fused:
// y = normalised(x) · weight + bias, then · (1 + scale[batch]) + shift[batch], or + shift[batch] alone.
// Tiers: all. x and y are f32 or f16, statistics f32. Bindings: p, x, [weight], [bias], [modulation], y.
// One workgroup a row; the variance is summed around the mean, in a second pass over the row.
import { arrayOf, enableStored, loaded, type Stored, toStored } from './stored.ts'
import { bindings, entry, uniformBlock } from './text.ts'

export interface NormParameters {
  readonly kind: 'layer' | 'rms'
  readonly workgroup: number
  /** What x and y are stored as. */
  readonly stored: { readonly x: Stored; readonly y: Stored }
  readonly weight: boolean
  readonly bias: boolean
  /** shift and scale, or the shift alone, are read from one tensor, at batch · modStride + shiftOffset (scaleOffset) + column. */
  readonly modulation: 'shift and scale' | 'shift' | undefined
}

export const normName = (n: NormParameters): string =>
  `${n.kind}_norm.${n.stored.x}=${n.stored.y}.w${n.workgroup}${n.weight ? '+weight' : ''}${n.bias ? '+bias' : ''}${n.modulation ? (n.modulation === 'shift' ? '+shift' : '+mod') : ''}`

export function norm({ kind, workgroup, stored, weight, bias, modulation }: NormParameters): string {
  const sum = (name: string, term: string): string => `
  part = 0.0;
  for (var c = local.x; c < p.columns; c += ${workgroup}u) { let v = ${loaded(stored.x, 'x[at + c]')}; part += ${term}; }
  partial[local.x] = part;
  workgroupBarrier();
  var ${name} = 0.0;
  for (var t = 0u; t < ${workgroup}u; t++) { ${name} += partial[t]; }
  ${name} /= f32(p.columns);
  workgroupBarrier();`
  return `${enableStored(stored.x, stored.y)}
${uniformBlock(['columns', 'rows', 'rowsPerBatch', 'shiftOffset', 'scaleOffset', 'modStride', 'eps: f32'])}
${bindings(
  ['x', arrayOf(stored.x)],
  ...((weight ? [['weight', 'array<f32>']] : []) as [string, string][]),
  ...((bias ? [['bias', 'array<f32>']] : []) as [string, string][]),
  ...((modulation ? [['modulation', 'array<f32>']] : []) as [string, string][]),
  ['y!', arrayOf(stored.y)],
)}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  let row = min(workgroup.y * 65535u + workgroup.x, p.rows - 1u);
  let at = row * p.columns;
  var part = 0.0;
  ${kind === 'layer' ? sum('mean', 'v') : 'let mean = 0.0;'}
  ${sum('variance', '(v - mean) * (v - mean)')}
  let scaleBy = inverseSqrt(variance + p.eps);
  ${modulation ? 'let modAt = (row / p.rowsPerBatch) * p.modStride;' : ''}
  for (var c = local.x; c < p.columns; c += ${workgroup}u) {
    var v = (${loaded(stored.x, 'x[at + c]')} - mean) * scaleBy;
    ${weight ? 'v *= weight[c];' : ''}
    ${bias ? 'v += bias[c];' : ''}
    ${modulation === 'shift and scale' ? 'v *= 1.0 + modulation[modAt + p.scaleOffset + c];' : ''}
    ${modulation ? 'v += modulation[modAt + p.shiftOffset + c];' : ''}
    y[at + c] = ${toStored(stored.y, 'v')};
  }
}`
}
