// Merges two partial results of attention over different keys by their log-sum-exp (ring attention). Tiers: all; sums in
// f32, a and b in f32 or f16, the result in either; four values at a time where heads allow it. Bindings: p, aOut, aLse,
// bOut, bLse, out, lse.
import { arrayOf, enableStored, loaded, readArrayOf, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export interface MergeParameters {
  readonly a: Stored
  readonly b: Stored
  readonly out: Stored
  readonly vec: 1 | 4
  readonly workgroup: number
}

export const mergeAttentionName = ({ a, b, out, vec, workgroup }: MergeParameters): string =>
  `mergeAttention.${a}+${b}=${out}x${vec}.w${workgroup}`

/** Below all sums of scores, and finite: a part that saw no keys has -inf, and the difference of two such is not a number. */
const NOTHING = '-3.0e38'

/**
 * out [batch, queries, heads, dim] = a + sigmoid(lse_b − lse_a) · (b − a), and with the first value of each head
 * lse [batch, heads, queries] = lse_a − logsigmoid(lse_a − lse_b): xDiT's formulas, seen from the part that weighs more,
 * so that no exp grows and a part of no weight changes nothing, whatever it holds.
 */
export const mergeAttention = (parameters: MergeParameters): string => {
  const { a, b, out, vec, workgroup } = parameters
  return `${enableStored(a, b, out)}
${uniformBlock(['count', 'queries', 'heads', 'dim'])}
${bindings(['aOut', readArrayOf(a, vec)], ['aLse', 'array<f32>'], ['bOut', readArrayOf(b, vec)], ['bLse', 'array<f32>'], ['out!', arrayOf(out, vec)], ['lse!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let head = (i / p.dim) % p.heads;
  let query = (i / (p.dim * p.heads)) % p.queries;
  let batch = i / (p.dim * p.heads * p.queries);
  let at = (batch * p.heads + head) * p.queries + query;
  let lead = max(aLse[at], ${NOTHING}) - max(bLse[at], ${NOTHING});
  let weight = exp(-abs(lead));
  let va = ${loaded(a, 'aOut[i]', vec)};
  let vb = ${loaded(b, 'bOut[i]', vec)};
  let more = select(vb, va, lead >= 0.0);
  let less = select(va, vb, lead >= 0.0);
  let merged = select(more, more + weight / (1.0 + weight) * (less - more), weight > 0.0);
  out[i] = ${toStored(out, 'merged', vec)};
  if (i % p.dim == 0u) { lse[at] = max(aLse[at], bLse[at]) + log(1.0 + weight); }
}`
}
