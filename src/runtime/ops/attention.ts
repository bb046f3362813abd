import { type AttentionParameters, attention as attentionCode, attentionName } from '../../wgsl/attention.ts'
import { attentionQuads } from '../../wgsl/attention_quads.ts'
import { DitError } from '../errors.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, shapeText, type Tensor } from '../tensor.ts'
import { attendsOnMatrixUnits, recordMatrixAttention } from './matrix_attention.ts'
import { attendsByMatmuls, recordWideAttention } from './wide_attention.ts'

export interface AttentionInputs {
  /** [batch, queries, heads · dim]; tokens may be spread over several dimensions (a picture's rows and columns). */
  q: Tensor
  /** [batch, keys, heads · dim]. */
  k: Tensor
  v: Tensor
  heads: number
  /** Default dim^-0.5. */
  scale?: number
  /** Added to the scores: [heads or 1, queries, keys]. */
  bias?: Tensor
  /** Added to the scores: [batch, keys]. */
  mask?: Tensor
}

/** Head values that one thread accumulates at most; wider heads are split over threads. */
const WIDEST = 160

/** softmax(q·kᵀ·scale + bias + mask)·v → [batch, queries, heads · dim]. */
export function attention(g: Recorder, inputs: AttentionInputs): Tensor {
  return recordAttention(g, inputs, false).out
}

/** The same, with the natural log-sum-exp of the scores [batch, heads, queries], for merging partial results. */
export function attentionWithLse(g: Recorder, inputs: AttentionInputs): { out: Tensor; lse: Tensor } {
  const { out, lse } = recordAttention(g, inputs, true)
  return { out, lse: lse! }
}

function recordAttention(g: Recorder, inputs: AttentionInputs, withLse: boolean): { out: Tensor; lse?: Tensor } {
  const { q, k, v, heads, bias, mask } = inputs
  const [batch, width] = [q.dim(0), q.dim(-1)]
  const [queries, keys] = [q.size / batch / width, k.size / batch / width]
  const dim = width / heads
  if (!Number.isInteger(dim) || k.dim(-1) !== width || k.dim(0) !== batch || v.size !== k.size) {
    throw new DitError(
      'validation',
      `attention of q ${shapeText(q.shape)}, k ${shapeText(k.shape)}, v ${shapeText(v.shape)}, ${heads} heads`,
    )
  }
  const vec = dim % 4 === 0 ? 4 : 1
  const stored = floatType(q)
  if (k.dtype !== stored || v.dtype !== stored) {
    throw new DitError('validation', `attention of q in ${stored}, k in ${k.dtype}, v in ${v.dtype}`)
  }
  const sizes = { batch, heads, queries, keys, dim }
  const scale = inputs.scale ?? dim ** -0.5
  if (attendsOnMatrixUnits(g.device, inputs, sizes))
    return recordMatrixAttention(g, { ...inputs, scale }, sizes, withLse)
  if (attendsByMatmuls(g.device.target, inputs, sizes)) {
    const { out, lse } = recordWideAttention(g, { q, k, v, scale }, sizes)
    return withLse ? { out, lse } : { out }
  }
  const parameters: AttentionParameters = {
    stored,
    ...chooseSplit(g.device.target, queries, dim / vec, vec),
    vec,
    bias: bias !== undefined,
    mask: mask !== undefined,
    lse: withLse,
  }
  const { rows, columns, workgroup } = parameters
  const [threads, lanes] = workgroup === 'quad' ? [1, 4] : [workgroup, 1]
  const out = g.create(q.shape, stored, 'attention')
  const lse = withLse ? g.create([batch, heads, queries], 'f32', 'lse') : undefined
  const stride = width / vec
  g.record({
    kernel: kernel(attentionName(parameters), () =>
      workgroup === 'quad' ? attentionQuads(parameters) : attentionCode({ ...parameters, workgroup }),
    ),
    inputs: [q, k, v, bias, mask].filter((t) => t !== undefined),
    outputs: lse ? [out, lse] : [out],
    uniforms: [
      queries,
      keys,
      dim / vec,
      heads,
      stride,
      stride,
      stride,
      stride,
      bias && bias.dim(0) > 1 ? queries * keys : 0,
      { f32: scale },
    ],
    groups: [Math.ceil(queries / (rows * threads)), heads * Math.ceil(dim / vec / columns / lanes), batch],
  })
  return { out, lse }
}

/** Queries and values of the head (in elements of vec) for one thread or quad: as many as its registers hold. */
function chooseSplit(
  target: KernelTarget,
  queries: number,
  dim: number,
  vec: 1 | 4,
): Pick<AttentionParameters, 'rows' | 'columns' | 'workgroup'> {
  if (target.software && target.quads) {
    const columns = Math.ceil(Math.min(dim, WIDEST / vec) / 4)
    return { rows: queries > 4 && columns <= 2 ? 8 : 4, columns, workgroup: 'quad' }
  }
  const columns = dim <= WIDEST / vec ? dim : Math.ceil(64 / vec)
  const room = target.software ? 64 : 24
  const rows = columns * 4 <= room && queries > 3 ? 4 : columns * 2 <= room && queries > 1 ? 2 : 1
  return { rows, columns, workgroup: target.software ? 4 : 64 }
}
