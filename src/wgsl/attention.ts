// Flash attention: out = softmax(q·kᵀ·scale + bias + mask)·v over any lengths, one pass over the keys with a
// running maximum (Dao et al. 2022, Milakov & Gimelshein 2018); the score matrix is never stored.
// Tiers: all. q, k, v and out are f32 or f16; scores, statistics and sums f32. Bindings: p, q, k, v, [bias], [mask], out, [lse].
// A thread owns `rows` queries and `columns` of the head's values; wider heads are cut into several threads, each of
// which computes the scores anew.
import { arrayOf, enableStored, loaded, readArrayOf, type Stored, toStored } from './stored.ts'
import { bindings, entry, uniformBlock, unroll } from './text.ts'

export interface AttentionParameters {
  /** What q, k, v and out are stored as. */
  readonly stored: Stored
  /** Queries of one thread. */
  readonly rows: number
  /** Values (of vec) of the head that one thread accumulates. */
  readonly columns: number
  /** Threads, or quads that share their work (attention_quads.ts). */
  readonly workgroup: number | 'quad'
  /** Values loaded at once; 4 needs a head dimension that 4 divides. */
  readonly vec: 1 | 4
  /** Additive [heads or 1, queries, keys]. */
  readonly bias: boolean
  /** Additive [batch, keys]. */
  readonly mask: boolean
  /** Also write the natural log of the sum of exponentials [batch, heads, queries]. */
  readonly lse: boolean
}

export const attentionName = (a: AttentionParameters): string =>
  `attention.${a.stored}.${a.rows}x${a.columns}.${a.workgroup === 'quad' ? 'quad' : `w${a.workgroup}`}.v${a.vec}` +
  `${a.bias ? '+bias' : ''}${a.mask ? '+mask' : ''}${a.lse ? '+lse' : ''}`

/** Keys handled between two rescalings of the sums. */
const KEYS = 4

/** Where the maximum starts; not -inf, so that exp(first - lowest) is 0 and never NaN. */
export const LOWEST = '-3.0e38'
/** The score of a key past the end: its weight is 0 even where every real key is masked with -inf. */
export const ABSENT = '-3.4e38'

/** Uniforms and bindings. */
export function attentionHead({ stored, vec, bias, mask, lse }: AttentionParameters): string {
  const read = readArrayOf(stored, vec)
  return `
${uniformBlock(['queries', 'keys', 'dim', 'heads', 'qStride', 'kStride', 'vStride', 'outStride', 'biasStride', 'scale: f32'])}
${bindings(
  ['q', read],
  ['k', read],
  ['v', read],
  ...(bias ? [['bias', 'array<f32>'] as [string, string]] : []),
  ...(mask ? [['mask', 'array<f32>'] as [string, string]] : []),
  ['out!', arrayOf(stored, vec)],
  ...(lse ? [['lse!', 'array<f32>'] as [string, string]] : []),
)}`
}

export function attention(parameters: AttentionParameters & { readonly workgroup: number }): string {
  const { rows, columns, workgroup, stored, vec, bias, mask, lse } = parameters
  const zero = vec === 4 ? 'vec4f()' : '0.0'
  const product = vec === 4 ? (a: string, b: string) => `dot(${a}, ${b})` : (a: string, b: string) => `${a} * ${b}`
  const score = (i: number, j: number): string => {
    const terms = [`s${i}_${j} * p.scale`]
    if (bias) terms.push(`bias[biasAt${i} + key${j}]`)
    if (mask) terms.push(`mask${j}`)
    return `select(${ABSENT}, ${terms.join(' + ')}, key0 + ${j}u < p.keys)`
  }
  const pairs = (piece: (i: number, j: number) => string) => unroll(rows, (i) => unroll(KEYS, (j) => piece(i, j)))
  return `${enableStored(stored)}
${attentionHead(parameters)}
${entry(workgroup)} {
  // workgroup: x over queries, y over heads and column blocks, z over the batch. Strides are those of one token.
  let head = workgroup.y % p.heads;
  let column0 = (workgroup.y / p.heads) * ${columns}u;
  let firstQuery = (workgroup.x * ${workgroup}u + local.x) * ${rows}u;
  let headAt = head * p.dim;
  ${unroll(rows, (i) => `let query${i} = min(firstQuery + ${i}u, p.queries - 1u);`)}
  ${unroll(rows, (i) => `let qAt${i} = (workgroup.z * p.queries + query${i}) * p.qStride + headAt;`)}
  ${bias ? unroll(rows, (i) => `let biasAt${i} = head * p.biasStride + query${i} * p.keys;`) : ''}
  ${unroll(rows, (i) => `var top${i} = ${LOWEST}; var sum${i} = 0.0;`)}
  ${unroll(rows, (i) => unroll(columns, (c) => `var o${i}_${c} = ${zero};`))}
  for (var key0 = 0u; key0 < p.keys; key0 += ${KEYS}u) {
    ${unroll(KEYS, (j) => `let key${j} = min(key0 + ${j}u, p.keys - 1u);`)}
    ${unroll(KEYS, (j) => `let kAt${j} = (workgroup.z * p.keys + key${j}) * p.kStride + headAt;`)}
    ${unroll(KEYS, (j) => `let vAt${j} = (workgroup.z * p.keys + key${j}) * p.vStride + headAt + column0;`)}
    ${mask ? unroll(KEYS, (j) => `let mask${j} = mask[workgroup.z * p.keys + key${j}];`) : ''}
    ${pairs((i, j) => `var s${i}_${j} = 0.0;`)}
    for (var d = 0u; d < p.dim; d++) {
      ${unroll(rows, (i) => `let q${i} = ${loaded(stored, `q[qAt${i} + d]`, vec)};`)}
      ${unroll(KEYS, (j) => `let k${j} = ${loaded(stored, `k[kAt${j} + d]`, vec)};`)}
      ${pairs((i, j) => `s${i}_${j} += ${product(`q${i}`, `k${j}`)};`)}
    }
    ${pairs((i, j) => `s${i}_${j} = ${score(i, j)};`)}
    ${unroll(
      rows,
      (i) => `let next${i} = max(top${i}, max(max(s${i}_0, s${i}_1), max(s${i}_2, s${i}_3)));
let shrink${i} = exp(top${i} - next${i}); top${i} = next${i};
${unroll(KEYS, (j) => `let w${i}_${j} = exp(s${i}_${j} - next${i});`)}
sum${i} = sum${i} * shrink${i} + w${i}_0 + w${i}_1 + w${i}_2 + w${i}_3;`,
    )}
    ${unroll(
      columns,
      (c) => `{ ${unroll(KEYS, (j) => `let v${j} = ${loaded(stored, `v[vAt${j} + ${c}u]`, vec)};`)}
${unroll(rows, (i) => `o${i}_${c} = o${i}_${c} * shrink${i} + w${i}_0 * v0 + w${i}_1 * v1 + w${i}_2 * v2 + w${i}_3 * v3;`)} }`,
    )}
  }
  ${unroll(
    rows,
    (i) => `if (firstQuery + ${i}u < p.queries) {
  let outAt = (workgroup.z * p.queries + query${i}) * p.outStride + headAt + column0;
  let part = select(0.0, 1.0 / sum${i}, sum${i} > 0.0);
  ${unroll(columns, (c) => `if (column0 + ${c}u < p.dim) { out[outAt + ${c}u] = ${toStored(stored, `o${i}_${c} * part`, vec)}; }`)}
  ${lse ? `if (column0 == 0u) { lse[(workgroup.z * p.heads + head) * p.queries + query${i}] = top${i} + log(sum${i}); }` : ''}
}`,
  )}
}`
}
