// Merges two partial results of attention over different keys by their log-sum-exp (ring attention). Tiers: all; sums in
// f32, b in f32 or f16, the result in either. Bindings: p, aOut, aLse, bOut, bLse, out, lse.
import { arrayOf, enableStored, loaded, readArrayOf, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export interface MergeTypes {
  readonly a: Stored
  readonly b: Stored
  readonly out: Stored
}

export const mergeAttentionName = ({ a, b, out }: MergeTypes, workgroup: number): string =>
  `mergeAttention.${a}+${b}=${out}.w${workgroup}`

/**
 * out [batch, queries, heads, dim] = a + sigmoid(lse_b − lse_a) · (b − a), and with the first value of each head
 * lse [batch, heads, queries] = max + log(1 + exp(−|lse_b − lse_a|)).
 */
export const mergeAttention = ({ a, b, out }: MergeTypes, workgroup: number): string => `${enableStored(a, b, out)}
${uniformBlock(['count', 'queries', 'heads', 'dim'])}
${bindings(['aOut', readArrayOf(a)], ['aLse', 'array<f32>'], ['bOut', readArrayOf(b)], ['bLse', 'array<f32>'], ['y!', arrayOf(out)], ['lse!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let head = (i / p.dim) % p.heads;
  let query = (i / (p.dim * p.heads)) % p.queries;
  let batch = i / (p.dim * p.heads * p.queries);
  let at = (batch * p.heads + head) * p.queries + query;
  let la = aLse[at];
  let lb = bLse[at];
  let share = 1.0 / (1.0 + exp(la - lb));
  let va = ${loaded(a, 'aOut[i]')};
  y[i] = ${toStored(out, `va + share * (${loaded(b, 'bOut[i]')} - va)`)};
  if (i % p.dim == 0u) { lse[at] = max(la, lb) + log(1.0 + exp(-abs(la - lb))); }
}`
