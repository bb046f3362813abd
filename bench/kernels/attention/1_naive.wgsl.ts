// attention, rung 1: a thread computes one query's whole row, one value at a time: scores into storage, their softmax, then the
// weighted values. The score matrix makes the trip through memory three times.
// SwiftShader, two cores, 2 x 10 heads, 64 x 64 x 32: 0.14 GFLOP/s; shipped (src/wgsl/attention_quads.ts): 1.2 GFLOP/s.
import { bindings, entry, uniformBlock } from '../../../src/wgsl/text.ts'
import type { Contestant } from '../../race.ts'

const code = `
${uniformBlock(['queries', 'keys', 'dim', 'heads'])}
${bindings(['q', 'array<f32>'], ['k', 'array<f32>'], ['v', 'array<f32>'], ['out!', 'array<f32>'], ['scores!', 'array<f32>'])}
${entry(32)} {
  let query = workgroup.x * 32u + local.x;
  if (query >= p.queries) { return; }
  let width = p.heads * p.dim;
  let qAt = (workgroup.z * p.queries + query) * width + workgroup.y * p.dim;
  let kAt = workgroup.z * p.keys * width + workgroup.y * p.dim;
  let at = ((workgroup.z * p.heads + workgroup.y) * p.queries + query) * p.keys;
  var top = -3.0e38;
  for (var j = 0u; j < p.keys; j++) {
    var score = 0.0;
    for (var d = 0u; d < p.dim; d++) { score += q[qAt + d] * k[kAt + j * width + d]; }
    score *= inverseSqrt(f32(p.dim));
    scores[at + j] = score;
    top = max(top, score);
  }
  var sum = 0.0;
  for (var j = 0u; j < p.keys; j++) {
    let weight = exp(scores[at + j] - top);
    scores[at + j] = weight;
    sum += weight;
  }
  for (var d = 0u; d < p.dim; d++) {
    var value = 0.0;
    for (var j = 0u; j < p.keys; j++) { value += scores[at + j] * v[kAt + j * width + d]; }
    out[qAt + d] = value / sum;
  }
}`

export const naive = (heads: number): Contestant => ({
  name: '1 naive',
  record(g, { q, k, v }) {
    const [batch, queries, width] = q.shape
    const keys = k.dim(1)
    const out = g.create(q.shape)
    const scores = g.create([batch, heads, queries, keys])
    g.record({
      kernel: { name: 'bench.attention.1', code },
      inputs: [q, k, v],
      outputs: [out, scores],
      uniforms: [queries, keys, width / heads, heads],
      groups: [Math.ceil(queries / 32), heads, batch],
    })
    g.release(scores)
    return out
  },
})
