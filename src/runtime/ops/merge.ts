import { mergeAttention as code, mergeAttentionName } from '../../wgsl/merge_attention.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor, type Use } from '../tensor.ts'

/** Attention over some of the keys: out [batch, queries, heads · dim] and its log-sum-exp [batch, heads, queries]. */
export interface PartialAttention {
  readonly out: Tensor
  readonly lse: Tensor
}

/** Attention over the keys of both. Sums over many parts are best kept as 'stream', in f32. */
export function mergeAttention(
  g: Recorder,
  a: PartialAttention,
  b: PartialAttention,
  { as }: { as?: Use } = {},
): PartialAttention {
  const types = { a: floatType(a.out), b: floatType(b.out), out: storedAs(g.device.target, as) }
  const workgroup = flatWorkgroup(g.device.target)
  const out = g.create(a.out.shape, types.out, 'merged attention')
  const lse = g.create(a.lse.shape, 'f32', 'merged lse')
  const [, heads, queries] = a.lse.shape
  g.record({
    kernel: kernel(mergeAttentionName(types, workgroup), () => code(types, workgroup)),
    inputs: [a.out, a.lse, b.out, b.lse],
    outputs: [out, lse],
    uniforms: [out.size, queries, heads, out.dim(-1) / heads],
    groups: flatGroups(out.size, workgroup),
  })
  return { out, lse }
}
