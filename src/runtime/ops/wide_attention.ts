import { divideRows, rowSoftmax } from '../../wgsl/row_softmax.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { KernelTarget } from '../kernel.ts'
import { flatWorkgroup, kernel, rowWorkgroup } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { transposed } from './layout.ts'
import { linear } from './linear.ts'
import type { AttentionSizes } from './matrix_attention.ts'
import { copyRows } from './window.ts'

/** Narrower heads fit the registers of a kernel that keeps no scores. */
const NARROWEST = 161
/** Fewer queries are no work for matmuls. */
const FEWEST_QUERIES = 64
/** Bytes of scores at a time for each value of the queries: with fewer queries, as ranks have them, a rank needs less memory. */
const SCORES = 16
/** Workgroups of a dimension of a dispatch. */
const MOST_GROUPS = 65_535

/** Whether attention is two matmuls on a GPU: that of the autoencoder's middle block, with its one head of 512 values. */
export const attendsByMatmuls = (
  target: KernelTarget,
  { bias, mask }: { bias?: Tensor; mask?: Tensor },
  { heads, dim, queries }: AttentionSizes,
): boolean =>
  !target.software &&
  heads === 1 &&
  dim >= NARROWEST &&
  queries >= FEWEST_QUERIES &&
  bias === undefined &&
  mask === undefined

/** As `attention` of one head, with scores of some queries at a time in memory. @param scoreBytes of these, at most */
export function recordWideAttention(
  g: Recorder,
  { q, k, v, scale }: { q: Tensor; k: Tensor; v: Tensor; scale: number },
  { batch, queries, keys, dim }: Pick<AttentionSizes, 'batch' | 'queries' | 'keys' | 'dim'>,
  scoreBytes = SCORES * queries * dim,
): { out: Tensor; lse: Tensor } {
  const stored = floatType(q)
  const { maxStorageBufferBindingSize, maxBufferSize } = g.device.gpu.limits
  const mostBytes = Math.min(scoreBytes, maxStorageBufferBindingSize, maxBufferSize)
  const rowsAtOnce = Math.min(MOST_GROUPS, Math.floor(mostBytes / (4 * keys)) || 1)
  const out = g.create(q.shape, stored, 'attention')
  const lse = g.create([batch, 1, queries], 'f32', 'lse')
  for (let n = 0; n < batch; n++) {
    const key = rowsOf(g, k, n * keys, keys, dim)
    const value = rowsOf(g, v, n * keys, keys, dim)
    const valuesOfColumns = transposed(g, value)
    g.release(value)
    for (let first = 0; first < queries; first += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, queries - first)
      const query = rowsOf(g, q, n * queries + first, rows, dim)
      const scores = linear(g, query, { weight: key })
      const { weights, sums } = softmax(g, scores, stored, scale, lse, n * queries + first)
      const sum = linear(g, weights, { weight: valuesOfColumns })
      divide(g, sum, sums, out, n * queries + first)
      for (const tensor of [query, scores, weights, sums, sum]) g.release(tensor)
    }
    g.release(key)
    g.release(valuesOfColumns)
  }
  return { out, lse }
}

/** What scores weigh, not divided by their sums yet; the log-sum-exp goes into lse from `firstRow` on. */
function softmax(g: Recorder, scores: Tensor, stored: 'f32' | 'f16', scale: number, lse: Tensor, firstRow: number) {
  const workgroup = rowWorkgroup(g.device.target)
  const [rows, columns] = scores.shape
  const weights = g.create(scores.shape, stored, 'attention weights')
  const sums = g.create([rows], 'f32', 'sums of attention weights')
  g.record({
    kernel: kernel(`row_softmax.${stored}.w${workgroup}`, () => rowSoftmax(stored, workgroup)),
    inputs: [scores],
    outputs: [weights, sums, lse],
    keepsRest: rows < lse.size,
    uniforms: [columns, firstRow, { f32: scale }],
    groups: [rows, 1, 1],
  })
  return { weights, sums }
}

/** Rows [first, first + count) of x seen as rows of `width`. */
function rowsOf(g: Recorder, x: Tensor, first: number, count: number, width: number): Tensor {
  const y = g.create([count, width], floatType(x), 'rows')
  copyRows(g, x, { stride: width, offset: first * width }, y, { stride: width, offset: 0 }, count, width)
  return y
}

function divide(g: Recorder, x: Tensor, sums: Tensor, out: Tensor, firstRow: number): void {
  const workgroup = flatWorkgroup(g.device.target)
  const stored = floatType(out)
  g.record({
    kernel: kernel(`divide_rows.${stored}.w${workgroup}`, () => divideRows(stored, workgroup)),
    inputs: [x, sums],
    outputs: [out],
    keepsRest: x.size < out.size,
    uniforms: [x.size, x.dim(-1), firstRow],
    groups: flatGroups(x.size, workgroup),
  })
}
