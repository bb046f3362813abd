// Linear of a few rows: y [m, n] = epilogue(a [m, k] · b [n, k]ᵀ), all rows in one workgroup. What takes time is reading b, so
// threads share out the depth of a column and read 16 bytes of it at a time, side by side; their sums meet in workgroup
// memory. Tiers: all, for GPUs: on a CPU barriers cost more than they save. Operand a and the result are f32 or f16, b f32,
// f16 or of few bits, sums f32. Bindings: p, a, b, [bias], [multiply], [gate], [residual], y. Speed: not measured yet
// (npm run bench -- linear --rows 16).
import { ONCE } from './matrix/shape.ts'
import { fourFunction, foursOfWord, scaleFunction } from './quantized/dequantize.ts'
import { formatName, loadsOfGroup, valuesOfLoad, type WeightFormat } from './quantized/format.ts'
import { arrayOf, enableStored, loaded, readArrayOf, type Stored } from './stored.ts'
import { bindings, uniformBlock, unroll } from './text.ts'
import {
  EPILOGUE_FIELDS,
  type Epilogue,
  epilogueBindings,
  epilogueFunctions,
  epilogueName,
  epilogueValue,
} from './tile/epilogue.ts'

export interface FewRowsParameters {
  readonly stored: { readonly a: Stored; readonly y: Stored }
  readonly weight: WeightFormat | Stored
  /** At most; those that there are not are computed and not stored. */
  readonly rows: number
  readonly epilogue: Epilogue
}

/** Threads of a column, and columns of a workgroup. */
const LANES = 16
export const COLUMNS = 4
const THREADS = LANES * COLUMNS

export const fewRowsName = ({ stored, weight, rows, epilogue }: FewRowsParameters): string =>
  `linear.few.${stored.a}*${typeof weight === 'string' ? weight : formatName(weight)}=${stored.y}.${rows}.${epilogueName(epilogue)}`

/** Values of a weight that 16 bytes hold: rows of it are whole numbers of these. */
export const valuesOf16Bytes = (weight: WeightFormat | Stored): number =>
  typeof weight === 'string' ? { f32: 4, f16: 8 }[weight] : valuesOfLoad(weight)

export function fewRows({ stored, weight, rows, epilogue }: FewRowsParameters): string {
  const fours = valuesOf16Bytes(weight) / 4
  const products = (k: string, q: string): string => `{
        let k = ${k};
        let q = ${q};
        ${unroll(rows, (i) => `c${i} += dot(${loaded(stored.a, `a[row${i} + k]`, 4)}, q);`)}
      }`
  return `${enableStored(stored.a, stored.y, ...(typeof weight === 'string' ? [weight] : []))}
${uniformBlock(['m', 'n', 'k', 'scales', ...EPILOGUE_FIELDS, 'zero'])}
${bindings(['a', readArrayOf(stored.a, 4)], ['b', 'array<vec4u>'], ...epilogueBindings(epilogue), ['y!', arrayOf(stored.y)])}
${epilogueFunctions(epilogue)}${typeof weight === 'string' ? '' : `${scaleFunction(weight)}\n${fourFunction(weight)}`}
var<workgroup> partial: array<f32, ${rows * THREADS}>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let n0 = workgroup.x * ${COLUMNS}u;
  let column = min(n0 + local / ${LANES}u, p.n - 1u);
  let loads = p.k / ${fours}u;
  ${unroll(rows, (i) => `let row${i} = min(${i}u, p.m - 1u) * p.k; var c${i} = 0.0;`)}
  for (var first = 0u; first < loads; first += ${LANES}u) { ${ONCE} {
    let load = first + local % ${LANES}u;
    if (load < loads) {
      ${typeof weight === 'string' ? plainLoad(weight, products) : packedLoad(weight, products)}
    }
  } default: { return; } } }
  ${unroll(rows, (i) => `partial[${i * THREADS}u + local] = c${i};`)}
  workgroupBarrier();
  for (var e = local; e < ${rows * COLUMNS}u; e += ${THREADS}u) {
    let m = e / ${COLUMNS}u;
    let n = n0 + e % ${COLUMNS}u;
    if (m < p.m && n < p.n) {
      var sum = 0.0;
      for (var lane = 0u; lane < ${LANES}u; lane++) { sum += partial[e * ${LANES}u + lane]; }
      ${epilogue.gate ? 'let gateAt = (m / p.rowsPerBatch) * p.gateStride + p.gateOffset;' : ''}
      ${epilogue.residual ? 'let residualAt = (m % p.residualRows) * p.n;' : ''}
      y[m * p.n + n] = ${epilogueValue(epilogue, stored.y, 'sum')};
    }
  }
}`
}

/** Code for `q`, four values of the weight, and the four of a row at `k` that they are for. */
type Products = (k: string, q: string) => string

const plainLoad = (stored: Stored, products: Products): string => `let w = b[column * loads + load];
      ${stored === 'f32' ? products('load', 'bitcast<vec4f>(w)') : products('2u * load', 'halves(w.xy)') + products('2u * load + 1u', 'halves(w.zw)')}`

const packedLoad = (format: WeightFormat, products: Products): string => {
  const fours = 4 * foursOfWord(format)
  return `var w = b[column * loads + load];
      let scale = scaleOf((column * loads + load) / ${loadsOfGroup(format)}u);
      for (var t = 0u; t < ${fours}u; t++) {
        ${products(`load * ${fours}u + t`, 'four(w.x, scale)')}
        ${format.bits === 8 ? 'w = w.yzwx;' : 'if ((t & 1u) == 0u) { w.x >>= 8u; } else { w = w.yzwx; }'}
      }`
}
