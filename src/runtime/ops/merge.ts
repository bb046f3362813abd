import { mergeAttention as code, type MergeParameters, mergeAttentionName } from '../../wgsl/merge_attention.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { DitError } from '../errors.ts'
import { flatWorkgroup, kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, shapeText, type Tensor, type Use } from '../tensor.ts'

/** Attention over some of the keys: out [batch, queries, heads · dim] and its log-sum-exp [batch, heads, queries], in f32. */
export interface PartialAttention {
  readonly out: Tensor
  /** Natural logarithm; -inf for a query that saw no keys, whose out counts for nothing then. */
  readonly lse: Tensor
}

/**
 * Attention over the keys of both. While more parts are to come it is best kept as 'stream', in f32.
 *
 * @throws DitError 'validation' where the parts are not of the same queries
 */
export function mergeAttention(
  g: Recorder,
  a: PartialAttention,
  b: PartialAttention,
  { as }: { as?: Use } = {},
): PartialAttention {
  const [batch, heads, queries] = a.lse.shape
  const dim = a.out.dim(-1) / heads
  const fit = [a, b].every(({ out }) => out.size === batch * heads * queries * dim && out.dim(-1) === heads * dim)
  if (!fit || !Number.isInteger(dim) || shapeText(a.lse.shape) !== shapeText(b.lse.shape)) {
    const text = ({ out, lse }: PartialAttention) => `${shapeText(out.shape)} with lse ${shapeText(lse.shape)}`
    throw new DitError(
      'validation',
      `merge of attention ${text(a)} and ${text(b)}, expected the same queries and heads`,
    )
  }
  const vec = dim % 4 === 0 ? 4 : 1
  const parameters: MergeParameters = {
    a: floatType(a.out),
    b: floatType(b.out),
    out: storedAs(g.device.target, as),
    vec,
    workgroup: flatWorkgroup(g.device.target),
  }
  const out = g.create(a.out.shape, parameters.out, 'merged attention')
  const lse = g.create(a.lse.shape, 'f32', 'merged lse')
  const count = out.size / vec
  g.record({
    kernel: kernel(mergeAttentionName(parameters), () => code(parameters)),
    inputs: [a.out, a.lse, b.out, b.lse],
    outputs: [out, lse],
    uniforms: [count, queries, heads, dim / vec],
    groups: flatGroups(count, parameters.workgroup),
  })
  return { out, lse }
}
