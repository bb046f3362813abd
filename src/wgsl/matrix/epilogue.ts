// The epilogue of linear on matrix units, four columns at a time.
import { activation } from '../activations.ts'
import type { Stored } from '../stored.ts'
import type { Epilogue } from '../tile/epilogue.ts'

/** Storage bindings of an epilogue's operands. */
export const quadBindings = (e: Epilogue): [string, string][] =>
  (['bias', 'multiply', 'gate', 'residual'] as const).filter((k) => e[k]).map((k) => [k, 'array<vec4f>'])

export const quadFunctions = (e: Epilogue): string =>
  e.activation === 'none'
    ? ''
    : `${activation(e.activation)}
fn act4(v: vec4f) -> vec4f { return vec4f(act(v.x), act(v.y), act(v.z), act(v.w)); }`

/** Stores `sum`, a vec4f: the sums of row m and columns 4 · n4 and the three after. `quads` is p.n / 4. */
export function storeQuad(e: Epilogue, y: Stored, sum: string): string {
  let v = sum
  if (e.bias) v = `(${v} + bias[n4])`
  if (e.activation !== 'none') v = `act4(${v})`
  if (e.multiply) v = `${v} * multiply[m * quads + n4]`
  if (e.gate) v = `${v} * gate[((m / p.rowsPerBatch) * p.gateStride + p.gateOffset) / 4u + n4]`
  if (e.residual) v = `${v} + residual[(m % p.residualRows) * quads + n4]`
  return `y[m * quads + n4] = ${y === 'f16' ? `vec4<f16>(${v})` : v};`
}
