import type { HostArray } from '../golden_io.ts'
import type { Runner } from '../run.ts'
import { attendTo, attentionCall } from './attention_inputs.ts'
import { compareEntry } from './stacked.ts'

/** Attention over all keys. */
export const attentionRunner: Runner = {
  async run(run) {
    const { out, lse } = await attendTo(run, 0, attentionCall(run).inputs.k.shape[2])
    await run.compare('output.out', out)
    await run.compare('output.lse', lse)
  },
}

/** Ring attention: a partial result for each chunk of keys, merged one after the other by log-sum-exp. */
export const ringRunner: Runner = {
  async run(run) {
    const bounds = attentionCall(run).kv_chunk_bounds ?? []
    let merged: { out: HostArray; lse: HostArray } | undefined
    for (let chunk = 0; chunk + 1 < bounds.length; chunk++) {
      const partial = await attendTo(run, bounds[chunk], bounds[chunk + 1])
      await compareEntry(run, 'output.chunk_out', chunk, partial.out.data)
      await compareEntry(run, 'output.chunk_lse', chunk, partial.lse.data)
      merged = merged ? merge(merged, partial) : partial
      // Stored are the merges between the first, which is no merge, and the last, which is the result.
      if (chunk > 0 && chunk + 2 < bounds.length) {
        await compareEntry(run, 'inter.running_out', chunk - 1, merged.out.data)
        await compareEntry(run, 'inter.running_lse', chunk - 1, merged.lse.data)
      }
    }
    if (!merged) return
    await run.compare('output.out', merged.out)
    await run.compare('output.lse', merged.lse)
  },
}

/** out −= σ(lse_b − lse) · (out − out_b); lse −= ln σ(lse − lse_b), in float64. */
function merge(a: { out: HostArray; lse: HostArray }, b: { out: HostArray; lse: HostArray }) {
  const dim = a.out.shape[3]
  const out = Float64Array.from(a.out.data)
  const lse = Float64Array.from(a.lse.data, (la, row) => {
    const lb = b.lse.data[row]
    // Where neither chunk shows this query a key, there is nothing to merge.
    if (la === -Infinity && lb === -Infinity) return la
    const share = 1 / (1 + Math.exp(la - lb))
    for (let i = row * dim; i < (row + 1) * dim; i++) out[i] -= share * (out[i] - b.out.data[i])
    return Math.max(la, lb) + Math.log1p(Math.exp(-Math.abs(la - lb)))
  })
  return { out: { shape: a.out.shape, data: out }, lse: { shape: a.lse.shape, data: lse } }
}
