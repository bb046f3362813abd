import { type Activation, activation } from '../activations.ts'
import { type Stored, toStored } from '../stored.ts'
import { unroll } from '../text.ts'
import type { TileShape } from './shape.ts'

/** What happens to a sum before it is stored: act(sum + bias) · multiply · gate + residual; absent parts fall away. */
export interface Epilogue {
  readonly bias: boolean
  readonly activation: Activation
  /** Elementwise factor of the output's shape (gated feed-forward). */
  readonly multiply: boolean
  /** Factor per batch and column: gate[batch · gateStride + gateOffset + n] (adaLN). */
  readonly gate: boolean
  /** Addend; its rows repeat every `residualRows` (position embeddings, one for all pictures). */
  readonly residual: boolean
}

/** Uniform fields, in order after the loader's. */
export const EPILOGUE_FIELDS = ['rowsPerBatch', 'gateOffset', 'gateStride', 'residualRows']

export const epilogueName = (e: Epilogue): string =>
  [
    e.bias && 'bias',
    e.activation !== 'none' && e.activation,
    e.multiply && 'mul',
    e.gate && 'gate',
    e.residual && 'res',
  ]
    .filter(Boolean)
    .join('+') || 'plain'

export const epilogueBindings = (e: Epilogue): [string, string][] =>
  (['bias', 'multiply', 'gate', 'residual'] as const).filter((k) => e[k]).map((k) => [k, 'array<f32>'])

export const epilogueFunctions = (e: Epilogue): string => activation(e.activation)

/** What is stored of a sum at row m and column n, where `gateAt` and `residualAt` are the offsets of that row. */
export function epilogueValue(e: Epilogue, stored: Stored, sum: string): string {
  let v = sum
  if (e.bias) v = `(${v} + bias[n])`
  if (e.activation !== 'none') v = `act(${v})`
  if (e.multiply) v = `${v} * multiply[m * p.n + n]`
  if (e.gate) v = `${v} * gate[gateAt + n]`
  if (e.residual) v = `${v} + residual[residualAt + n]`
  return toStored(stored, v)
}

/**
 * Stores the thread's sums `c{i}_{j}` at rows m0 + i and columns n0 + j·lx; edges are guarded here and only here.
 * Unrolled, the sums stay in registers; rolled, a driver that compiles slowly sees one store instead of tm · tn.
 */
export function storeTile(e: Epilogue, { tm, tn, lx, rolled }: TileShape, stored: Stored): string {
  const row = (i: string, columns: string): string => `{
  let m = m0 + ${i};
  if (m < p.m) {
    ${e.gate ? 'let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;' : ''}
    ${e.residual ? 'let residualAt = (m % p.residualRows) * p.n;' : ''}
    ${columns}
  }
}`
  const store = (j: string, sum: string): string =>
    `{ let n = n0 + ${j} * ${lx}u; if (n < p.n) { y[m * p.n + n] = ${epilogueValue(e, stored, sum)}; } }`
  if (!rolled)
    return unroll(tm, (i) =>
      row(
        `${i}u`,
        unroll(tn, (j) => store(`${j}u`, `c${i}_${j}`)),
      ),
    )
  return `
var sums: array<f32, ${tm * tn}>;
${unroll(tm, (i) => unroll(tn, (j) => `sums[${i * tn + j}] = c${i}_${j};`))}
for (var i = 0u; i < ${tm}u; i++) ${row('i', `for (var j = 0u; j < ${tn}u; j++) ${store('j', `sums[i * ${tn}u + j]`)}`)}`
}
