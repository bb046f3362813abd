import * as code from '../../wgsl/group_norm.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { KernelTarget } from '../kernel.ts'
import { flatWorkgroup, kernel, rowWorkgroup, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor, Use } from '../tensor.ts'
import type { Margin } from './conv2d.ts'

export interface GroupNormOptions {
  groups: number
  eps: number
  weight: Tensor
  bias: Tensor
  silu?: boolean
  /** What the result is for. Default 'stream'. */
  as?: Use
}

/**
 * Group norm of x [batch, ..., channels], channels last, with SiLU fused where asked.
 *
 * @param parts equal parts in which each picture is measured. Default: as many as the device has use for
 */
export function groupNorm(
  g: Recorder,
  x: Tensor,
  options: GroupNormOptions,
  parts = partsOf(g.device.target, sizes(x).pixels),
): Tensor {
  const { batch, channels, pixels } = sizes(x)
  const { groups, eps, weight, bias } = options
  if (parts > 1) {
    const moments = groupMoments(g, x, groups, parts)
    return apply(
      g,
      x,
      factorsOf(g, x, moments, { parts, between: parts * groups * 3, stride: groups * 3 }, options),
      options,
    )
  }
  const workgroup = rowWorkgroup(g.device.target)
  const factors = g.create([batch, channels, 4], 'f32', 'group norm factors')
  g.record({
    kernel: kernel(code.groupStatisticsName(workgroup), () => code.groupStatistics(workgroup)),
    inputs: [x, weight, bias],
    outputs: [factors],
    uniforms: [pixels, channels, channels / groups, { f32: eps }],
    groups: [groups, batch, 1],
  })
  return apply(g, x, factors, options)
}

/** Pixels that a workgroup of a GPU measures at least, and parts of a picture that give all of its cores some. */
const [PIXELS, PARTS] = [1024, 128]

/** Equal parts in which pictures are measured: one alone where a CPU computes, whose workgroups are not so many. */
function partsOf(target: KernelTarget, pixels: number): number {
  let parts = 1
  while (!target.software && parts < PARTS && pixels % (2 * parts) === 0 && pixels / (2 * parts) >= PIXELS) parts *= 2
  return parts
}

/**
 * What is to be known of pixels to norm them: count, mean and squared distances, [batch · parts, groups, 3].
 *
 * @param parts of equally many pixels, in which each picture is measured
 */
export function groupMoments(g: Recorder, x: Tensor, groups: number, parts = 1): Tensor {
  const { batch, channels, pixels } = sizes(x)
  const workgroup = rowWorkgroup(g.device.target)
  const moments = g.create([batch * parts, groups, 3], 'f32', 'group norm moments')
  g.record({
    kernel: kernel(code.groupMomentsName(workgroup), () => code.groupMoments(workgroup)),
    inputs: [x],
    outputs: [moments],
    uniforms: [pixels / parts, channels, channels / groups, groups],
    groups: [groups, batch * parts, 1],
  })
  return moments
}

/**
 * Group norm of some rows x [batch, rows, width, channels] of a picture, by the moments of all its parts.
 *
 * @param moments [parts · batch, groups, 3]
 * @param margin rows that the result has beside those of x, to be filled by others
 */
export function groupNormOf(
  g: Recorder,
  x: Tensor,
  moments: Tensor,
  options: GroupNormOptions,
  margin?: Margin,
): Tensor {
  const { batch } = sizes(x)
  const { groups } = options
  const places = { parts: moments.dim(0) / batch, between: groups * 3, stride: batch * groups * 3 }
  return apply(g, x, factorsOf(g, x, moments, places, options), options, margin)
}

/** What makes of x its norm: a mean, a factor and an addend of each channel, [batch, channels, 4]. */
function factorsOf(
  g: Recorder,
  x: Tensor,
  moments: Tensor,
  { parts, between, stride }: { parts: number; between: number; stride: number },
  { groups, eps, weight, bias }: GroupNormOptions,
): Tensor {
  const { batch, channels } = sizes(x)
  const workgroup = flatWorkgroup(g.device.target)
  const factors = g.create([batch, channels, 4], 'f32', 'group norm factors')
  g.record({
    kernel: kernel(`group_norm_factors.w${workgroup}`, () => code.groupFactors(workgroup)),
    inputs: [moments, weight, bias],
    outputs: [factors],
    uniforms: [batch * channels, parts, channels, channels / groups, between, stride, { f32: eps }],
    groups: flatGroups(batch * channels, workgroup),
  })
  return factors
}

function apply(
  g: Recorder,
  x: Tensor,
  factors: Tensor,
  { silu = false, as }: GroupNormOptions,
  { above, below }: Margin = { above: 0, below: 0 },
): Tensor {
  const { channels, pixels } = sizes(x)
  const workgroup = flatWorkgroup(g.device.target)
  const stored = storedAs(g.device.target, as)
  const margin = above + below
  const shape = margin > 0 ? x.shape.with(1, x.dim(1) + margin) : x.shape
  const y = g.create(shape, stored, 'group norm')
  const row = margin > 0 ? x.dim(2) * channels : 0
  g.record({
    kernel: kernel(code.groupApplyName(silu, stored, workgroup), () => code.groupApply(silu, stored, workgroup)),
    inputs: [x, factors],
    outputs: [y],
    uniforms: [x.size, pixels, channels, above * row, margin * row],
    groups: flatGroups(x.size, workgroup),
  })
  return y
}

function sizes(x: Tensor) {
  const [batch, channels] = [x.dim(0), x.dim(-1)]
  return { batch, channels, pixels: x.size / batch / channels }
}
