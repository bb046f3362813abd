import { matrixAttention, matrixAttentionName } from '../../wgsl/matrix/attention.ts'
import { chooseAttentionTile, queriesOf } from '../../wgsl/matrix/attention_tile.ts'
import type { Device } from '../device.ts'
import { kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** What a call of attention comes to. */
export interface AttentionSizes {
  readonly batch: number
  readonly heads: number
  readonly queries: number
  readonly keys: number
  /** Values of a head. */
  readonly dim: number
}

/** Values of a 16-byte load of f16. */
const VEC = 8
/** The widest heads whose sums fit registers. */
const WIDEST = 160
/** Fewer queries leave most of a matrix unit idle. */
const FEWEST_QUERIES = 17

/** Whether attention is for matrix units: of f16, without a bias, with heads that begin at whole loads. */
export const attendsOnMatrixUnits = (
  { target, gpu }: Device,
  { q, bias }: { q: Tensor; bias?: Tensor },
  { dim, queries }: AttentionSizes,
): boolean =>
  target.tier === 'matrix' &&
  q.dtype === 'f16' &&
  bias === undefined &&
  dim % VEC === 0 &&
  dim <= WIDEST &&
  queries >= FEWEST_QUERIES &&
  chooseAttentionTile(dim, gpu.limits.maxComputeWorkgroupStorageSize) !== undefined

export function recordMatrixAttention(
  g: Recorder,
  { q, k, v, mask, scale }: { q: Tensor; k: Tensor; v: Tensor; mask?: Tensor; scale: number },
  { batch, heads, queries, keys, dim }: AttentionSizes,
  withLse: boolean,
): { out: Tensor; lse?: Tensor } {
  const tile = chooseAttentionTile(dim, g.device.gpu.limits.maxComputeWorkgroupStorageSize)!
  const alone = q !== k && q !== v && k !== v
  const parameters = { dim, tile, mask: mask !== undefined, lse: withLse, alone }
  const out = g.create(q.shape, 'f16', 'attention')
  const lse = withLse ? g.create([batch, heads, queries], 'f32', 'lse') : undefined
  g.record({
    kernel: kernel(matrixAttentionName(parameters), () => matrixAttention(parameters)),
    inputs: [q, k, v, ...(mask ? [mask] : [])],
    outputs: lse ? [out, lse] : [out],
    uniforms: [queries, keys, heads, (heads * dim) / VEC, { f32: scale }, 0],
    groups: [Math.ceil(queries / queriesOf(tile)), heads, batch],
  })
  return { out, lse }
}
