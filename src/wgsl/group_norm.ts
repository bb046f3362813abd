// Group norm of x [batch, pixels, channels], channels last, in two kernels: statistics become one factor and one
// addend per batch and channel; applying them fuses SiLU.
// Tiers: all. y is f32 or f16, all else f32. Bindings: statistics p, x, weight, bias, factors; apply p, x, factors, y.
import { activation } from './activations.ts'
import { arrayOf, enableStored, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const groupStatisticsName = (workgroup: number): string => `group_norm_statistics.w${workgroup}`

/** factors [batch, 2, channels]: y = x · factors[0] + factors[1]. One workgroup a group and batch. */
export const groupStatistics = (workgroup: number): string => {
  const sum = (name: string, term: string): string => `
  part = 0.0;
  for (var t = local.x; t < count; t += ${workgroup}u) {
    let v = x[at + (t / p.groupChannels) * p.channels + t % p.groupChannels];
    part += ${term};
  }
  partial[local.x] = part;
  workgroupBarrier();
  var ${name} = 0.0;
  for (var t = 0u; t < ${workgroup}u; t++) { ${name} += partial[t]; }
  ${name} /= f32(count);
  workgroupBarrier();`
  return `
${uniformBlock(['pixels', 'channels', 'groupChannels', 'eps: f32'])}
${bindings(['x', 'array<f32>'], ['weight', 'array<f32>'], ['bias', 'array<f32>'], ['factors!', 'array<f32>'])}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  let count = p.pixels * p.groupChannels;
  let channel0 = workgroup.x * p.groupChannels;
  let at = workgroup.y * p.pixels * p.channels + channel0;
  var part = 0.0;
  ${sum('mean', 'v')}
  ${sum('variance', '(v - mean) * (v - mean)')}
  let scaleBy = inverseSqrt(variance + p.eps);
  for (var c = local.x; c < p.groupChannels; c += ${workgroup}u) {
    let factor = weight[channel0 + c] * scaleBy;
    let out = workgroup.y * 2u * p.channels + channel0 + c;
    factors[out] = factor;
    factors[out + p.channels] = bias[channel0 + c] - mean * factor;
  }
}`
}

export const groupApplyName = (silu: boolean, stored: Stored, workgroup: number): string =>
  `group_norm_apply.${stored}${silu ? '+silu' : ''}.w${workgroup}`

export const groupApply = (silu: boolean, stored: Stored, workgroup: number): string => `${enableStored(stored)}
${uniformBlock(['count', 'pixels', 'channels'])}
${bindings(['x', 'array<f32>'], ['factors', 'array<f32>'], ['y!', arrayOf(stored)])}
${activation(silu ? 'silu' : 'none')}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let factorAt = i / (p.pixels * p.channels) * 2u * p.channels + i % p.channels;
  let v = x[i] * factors[factorAt] + factors[factorAt + p.channels];
  y[i] = ${toStored(stored, silu ? 'act(v)' : 'v')};
}`
