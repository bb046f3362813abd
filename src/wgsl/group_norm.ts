// Group norm of x [batch, pixels, channels], channels last, in two kernels: statistics become a mean, a factor and an
// addend for each batch and channel; applying them fuses SiLU. Where ranks hold rows of a picture, each measures the moments of its own,
// and the moments of all become the same three numbers in a third kernel.
// Tiers: all. y is f32 or f16, all else f32. Bindings: statistics p, x, weight, bias, factors; moments p, x,
// moments; factors p, moments, weight, bias, factors; apply p, x, factors, y.
import { activation } from './activations.ts'
import { arrayOf, enableStored, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/** `count`, `mean` and `squares`, the sum of squared distances from the mean, of one group and batch a workgroup. */
const measure = (workgroup: number): string => {
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
  workgroupBarrier();`
  return `
  let count = p.pixels * p.groupChannels;
  let channel0 = workgroup.x * p.groupChannels;
  let at = workgroup.y * p.pixels * p.channels + channel0;
  var part = 0.0;
  ${sum('mean', 'v')}
  mean /= f32(count);
  ${sum('squares', '(v - mean) * (v - mean)')}`
}

export const groupStatisticsName = (workgroup: number): string => `group_norm_statistics.w${workgroup}`

/** factors [batch, channels, 4]: mean, factor of the distance from it, addend, nothing. One workgroup a group and batch. */
export const groupStatistics = (workgroup: number): string => `
${uniformBlock(['pixels', 'channels', 'groupChannels', 'eps: f32'])}
${bindings(['x', 'array<f32>'], ['weight', 'array<f32>'], ['bias', 'array<f32>'], ['factors!', 'array<vec4f>'])}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  ${measure(workgroup)}
  let scaleBy = inverseSqrt(squares / f32(count) + p.eps);
  for (var c = local.x; c < p.groupChannels; c += ${workgroup}u) {
    let channel = channel0 + c;
    factors[workgroup.y * p.channels + channel] = vec4f(mean, weight[channel] * scaleBy, bias[channel], 0.0);
  }
}`

export const groupMomentsName = (workgroup: number): string => `group_norm_moments.w${workgroup}`

/** moments [batch, groups, 3]: count, mean and squared distances of the rows that a rank holds. */
export const groupMoments = (workgroup: number): string => `
${uniformBlock(['pixels', 'channels', 'groupChannels', 'groups'])}
${bindings(['x', 'array<f32>'], ['moments!', 'array<f32>'])}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  ${measure(workgroup)}
  if (local.x == 0u) {
    let out = (workgroup.y * p.groups + workgroup.x) * 3u;
    moments[out] = f32(count);
    moments[out + 1u] = mean;
    moments[out + 2u] = squares;
  }
}`

/**
 * factors [batch, channels, 4], as of one picture, from moments of its parts, which are joined in order (Chan, Golub, LeVeque
 * 1983, equation 2.1: it cancels nothing). Those of a picture begin `between` after those of the one before, and those of a part
 * `stride` after those of the part before.
 */
export const groupFactors = (workgroup: number): string => `
${uniformBlock(['count', 'parts', 'channels', 'groupChannels', 'between', 'stride', 'eps: f32'])}
${bindings(['moments', 'array<f32>'], ['weight', 'array<f32>'], ['bias', 'array<f32>'], ['factors!', 'array<vec4f>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let picture = i / p.channels;
  let channel = i % p.channels;
  var at = picture * p.between + channel / p.groupChannels * 3u;
  var count = 0.0;
  var mean = 0.0;
  var squares = 0.0;
  for (var part = 0u; part < p.parts; part++) {
    let more = moments[at];
    let all = count + more;
    let apart = moments[at + 1u] - mean;
    mean += apart * (more / all);
    squares += moments[at + 2u] + apart * apart * (count * (more / all));
    count = all;
    at += p.stride;
  }
  let factor = weight[channel] * inverseSqrt(squares / count + p.eps);
  factors[i] = vec4f(mean, factor, bias[channel], 0.0);
}`

export const groupApplyName = (silu: boolean, stored: Stored, workgroup: number): string =>
  `group_norm_apply.${stored}${silu ? '+silu' : ''}.w${workgroup}`

/** Before the first value of each picture of y there are `above` others, and `margin` in all beside those of x. */
export const groupApply = (silu: boolean, stored: Stored, workgroup: number): string => `${enableStored(stored)}
${uniformBlock(['count', 'pixels', 'channels', 'above', 'margin'])}
${bindings(['x', 'array<f32>'], ['factors', 'array<vec4f>'], ['y!', arrayOf(stored)])}
${activation(silu ? 'silu' : 'none')}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let picture = i / (p.pixels * p.channels);
  let f = factors[picture * p.channels + i % p.channels];
  let v = (x[i] - f.x) * f.y + f.z;
  y[i + picture * p.margin + p.above] = ${toStored(stored, silu ? 'act(v)' : 'v')};
}`
