// QK norm: RMS norm or layer norm of each head's values with one weight (and bias) for all heads, and the turn by rotary
// positions where there are some: y = n · cos + (-n[1], n[0], -n[3], n[2], …) · sin of n = (x - mean) / deviation · weight
// + bias; RMS norm has neither mean nor bias.
// Tiers: all. x and y are f32 or f16, sums f32. Bindings: p, x, weight, [bias], [cos, sin], y. One thread a head of a token,
// four values at a time.
import { arrayOf, enableStored, loaded, readArrayOf, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export interface QkNormParameters {
  readonly kind: 'layer' | 'rms'
  readonly workgroup: number
  /** What x and y are stored as. */
  readonly stored: { readonly x: Stored; readonly y: Stored }
  readonly rotary: boolean
}

export const qkNormName = ({ kind, workgroup, stored, rotary }: QkNormParameters): string =>
  `qk_${kind}_norm.${stored.x}=${stored.y}.w${workgroup}${rotary ? '+rotary' : ''}`

/** x [batch, tokens, heads · dim]; cos and sin [places, dim], of which the first token has row firstPlace. */
export const qkNorm = ({
  kind,
  workgroup,
  stored,
  rotary,
}: QkNormParameters): string => `${enableStored(stored.x, stored.y)}
${uniformBlock(['count', 'dim', 'heads', 'tokens', 'firstPlace', 'eps: f32'])}
${bindings(
  ['x', readArrayOf(stored.x, 4)],
  ['weight', 'array<vec4f>'],
  ...((kind === 'layer' ? [['bias', 'array<vec4f>']] : []) as [string, string][]),
  ...((rotary
    ? [
        ['cos_', 'array<vec4f>'],
        ['sin_', 'array<vec4f>'],
      ]
    : []) as [string, string][]),
  ['y!', arrayOf(stored.y, 4)],
)}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let at = i * p.dim;
  var sum = 0.0;
  ${
    kind === 'layer'
      ? `for (var d = 0u; d < p.dim; d++) { sum += dot(${loaded(stored.x, 'x[at + d]', 4)}, vec4f(1)); }
  let mean = sum / f32(p.dim * 4u);
  sum = 0.0;`
      : 'let mean = 0.0;'
  }
  for (var d = 0u; d < p.dim; d++) { let v = ${loaded(stored.x, 'x[at + d]', 4)} - mean; sum += dot(v, v); }
  let scaleBy = inverseSqrt(sum / f32(p.dim * 4u) + p.eps);
  ${rotary ? 'let place = (p.firstPlace + (i / p.heads) % p.tokens) * p.dim;' : ''}
  for (var d = 0u; d < p.dim; d++) {
    var v = (${loaded(stored.x, 'x[at + d]', 4)} - mean) * scaleBy * weight[d]${kind === 'layer' ? ' + bias[d]' : ''};
    ${rotary ? 'v = v * cos_[place + d] + vec4f(-v.y, v.x, -v.w, v.z) * sin_[place + d];' : ''}
    y[at + d] = ${toStored(stored.y, 'v', 4)};
  }
}`
