// Flash attention where quads of threads share values in registers: one quad computes `rows` queries together. For
// the scores each thread takes every fourth key, for the sums every fourth column of the values, so nothing is loaded
// twice and no exponential is computed twice; queries, scores and weights travel by quadBroadcast.
// Tiers: f32 on CPUs. Same bindings and uniforms as attention.ts; workgroups of one quad.
import { ABSENT, type AttentionParameters, attentionHead, LOWEST } from './attention.ts'
import { enableStored, loaded, toStored } from './stored.ts'
import { entry, laneInQuad, QUADS, unroll } from './text.ts'

export function attentionQuads(parameters: AttentionParameters): string {
  const { rows, columns, stored, vec, bias, mask, lse } = parameters
  const value = (code: string): string => (vec === 4 ? code : code.replace('vec4f()', '0.0'))
  const loads = Math.ceil(rows / 4)
  const lanes = (name: string) => Array.from({ length: 4 }, (_, j) => `quadBroadcast(${name}, ${j}u)`)
  const greatest = (name: string) => {
    const [a, b, c, d] = lanes(name)
    return `max(max(${a}, ${b}), max(${c}, ${d}))`
  }
  const total = (name: string) => lanes(name).join(' + ')
  const score = (i: number): string => {
    const terms = [`s${i} * p.scale`]
    if (bias) terms.push(`bias[biasAt${i} + key]`)
    if (mask) terms.push('maskOfKey')
    return `select(${ABSENT}, ${terms.join(' + ')}, key0 + lane < p.keys)`
  }
  return `${QUADS}
${enableStored(stored)}${attentionHead(parameters)}
${entry(4, 1, true)} {
  ${laneInQuad}
  let head = workgroup.y % p.heads;
  let column0 = (workgroup.y / p.heads) * ${columns * 4}u + lane;
  let firstQuery = workgroup.x * ${rows}u;
  let headAt = head * p.dim;
  ${unroll(loads, (t) => `let qAt${t} = (workgroup.z * p.queries + min(firstQuery + ${4 * t}u + lane, p.queries - 1u)) * p.qStride + headAt;`)}
  ${bias ? unroll(rows, (i) => `let biasAt${i} = head * p.biasStride + min(firstQuery + ${i}u, p.queries - 1u) * p.keys;`) : ''}
  ${unroll(columns, (c) => `let vColumn${c} = headAt + min(column0 + ${4 * c}u, p.dim - 1u);`)}
  ${unroll(rows, (i) => `var top${i} = ${LOWEST}; var sum${i} = 0.0;`)}
  ${unroll(rows, (i) => unroll(columns, (c) => value(`var o${i}_${c} = vec4f();`)))}
  for (var key0 = 0u; key0 < p.keys; key0 += 4u) {
    let key = min(key0 + lane, p.keys - 1u);
    let kAt = (workgroup.z * p.keys + key) * p.kStride + headAt;
    ${mask ? 'let maskOfKey = mask[workgroup.z * p.keys + key];' : ''}
    ${unroll(rows, (i) => `var s${i} = 0.0;`)}
    for (var d = 0u; d < p.dim; d++) {
      let kd = ${loaded(stored, 'k[kAt + d]', vec)};
      ${unroll(loads, (t) => `let q${t} = ${loaded(stored, `q[qAt${t} + d]`, vec)};`)}
      ${unroll(rows, (i) => `s${i} += ${vec === 4 ? 'dot(kd, ' : '(kd * '}quadBroadcast(q${i >> 2}, ${i & 3}u));`)}
    }
    ${unroll(
      rows,
      (i) => `s${i} = ${score(i)};
let next${i} = max(top${i}, ${greatest(`s${i}`)});
let shrink${i} = exp(top${i} - next${i}); top${i} = next${i};
let w${i} = exp(s${i} - next${i});
sum${i} = sum${i} * shrink${i} + w${i};
${unroll(columns, (c) => `o${i}_${c} *= shrink${i};`)}`,
    )}
    ${unroll(
      4,
      (j) => `{
      let vAt = (workgroup.z * p.keys + min(key0 + ${j}u, p.keys - 1u)) * p.vStride;
      ${unroll(rows, (i) => `let weight${i} = quadBroadcast(w${i}, ${j}u);`)}
      ${unroll(columns, (c) => `{ let vc = ${loaded(stored, `v[vAt + vColumn${c}]`, vec)}; ${unroll(rows, (i) => `o${i}_${c} += weight${i} * vc;`)} }`)}
    }`,
    )}
  }
  ${unroll(
    rows,
    (i) => `{
  let query = firstQuery + ${i}u;
  let sum = ${total(`sum${i}`)};
  if (query < p.queries) {
    let outAt = (workgroup.z * p.queries + query) * p.outStride + headAt + column0;
    let part = select(0.0, 1.0 / sum, sum > 0.0);
    ${unroll(columns, (c) => `if (column0 + ${4 * c}u < p.dim) { out[outAt + ${4 * c}u] = ${toStored(stored, `o${i}_${c} * part`, vec)}; }`)}
    ${lse ? `if (column0 == 0u) { lse[(workgroup.z * p.heads + head) * p.queries + query] = top${i} + log(sum); }` : ''}
  }
}`,
  )}
}`
}
