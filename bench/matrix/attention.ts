import { matrixAttention } from '../../src/wgsl/matrix/attention.ts'
import { chooseAttentionTile, queriesOf } from '../../src/wgsl/matrix/attention_tile.ts'
import { normalHalves, numberOf } from './halves.ts'
import { bytesOf, empty, filled, runOf, type Timing, uniforms } from './timing.ts'

interface Heads {
  readonly batch: number
  readonly heads: number
  readonly tokens: number
  readonly dim: number
}

/** FLUX.1's, SD3's, PixArt's and HunyuanDiT's at 1024 x 1024, the widest and the narrowest. */
const SHAPES: readonly Heads[] = [
  { batch: 1, heads: 24, tokens: 4608, dim: 128 },
  { batch: 2, heads: 24, tokens: 4429, dim: 64 },
  { batch: 2, heads: 16, tokens: 4096, dim: 72 },
  { batch: 2, heads: 16, tokens: 4096, dim: 88 },
  { batch: 2, heads: 8, tokens: 2048, dim: 160 },
  { batch: 2, heads: 8, tokens: 2048, dim: 32 },
]

/** Milliseconds, TFLOP/s and the error of attention of a picture to itself, against float64 of the same operands. */
export async function attentions(gpu: GPUDevice, timing: Timing): Promise<void> {
  console.log('\nattention, batch x heads x tokens x dim')
  for (const shape of SHAPES) {
    const { batch, heads, tokens, dim } = shape
    const [q, k, v] = [0, 1, 2].map(() => normalHalves(batch * tokens * heads * dim))
    const out = empty(gpu, q.byteLength)
    const scale = dim ** -0.5
    const buffers = [
      uniforms(gpu, [tokens, tokens, heads, (heads * dim) / 8, { f32: scale }, 0]),
      filled(gpu, q),
      filled(gpu, k),
      filled(gpu, v),
      out,
    ]
    const tile = chooseAttentionTile(dim, gpu.limits.maxComputeWorkgroupStorageSize)
    if (!tile) continue
    const code = matrixAttention({ dim, tile, mask: false, lse: false, alone: true })
    const run = await runOf(gpu, code, buffers, [Math.ceil(tokens / queriesOf(tile)), heads, batch])
    const ms = await timing.milliseconds(run, 2)
    const speed = (4 * batch * heads * tokens ** 2 * dim) / ms / 1e9
    const error = await errorOf(gpu, shape, q, k, v, out)
    const name = `${batch} x ${heads} x ${tokens} x ${dim}`.padEnd(24)
    console.log(
      `${name}${ms.toFixed(3).padStart(8)} ms ${speed.toFixed(1).padStart(7)} TFLOP/s   error ${error.toExponential(1)}`,
    )
    for (const buffer of buffers) buffer.destroy()
  }
}

/** Relative, of some queries. */
async function errorOf(
  gpu: GPUDevice,
  { batch, heads, tokens, dim }: Heads,
  q: Uint16Array,
  k: Uint16Array,
  v: Uint16Array,
  out: GPUBuffer,
): Promise<number> {
  let [difference, size] = [0, 0]
  for (const [b, h, i] of [
    [0, 0, 0],
    [batch - 1, heads - 1, tokens - 1],
    [0, 3, tokens >> 2],
  ]) {
    const at = (row: number) => ((b * tokens + row) * heads + h) * dim
    const scores = Float64Array.from({ length: tokens }, (_, j) => {
      let sum = 0
      for (let d = 0; d < dim; d++) sum += numberOf(q[at(i) + d]) * numberOf(k[at(j) + d])
      return sum * dim ** -0.5
    })
    const top = scores.reduce((a, c) => Math.max(a, c))
    const expected = new Float64Array(dim)
    let total = 0
    for (let j = 0; j < tokens; j++) {
      const weight = Math.exp(scores[j] - top)
      total += weight
      for (let d = 0; d < dim; d++) expected[d] += weight * numberOf(v[at(j) + d])
    }
    const row = new Uint16Array(await bytesOf(gpu, out, 2 * at(i), 2 * dim))
    for (let d = 0; d < dim; d++) {
      difference += (numberOf(row[d]) - expected[d] / total) ** 2
      size += (expected[d] / total) ** 2
    }
  }
  return Math.sqrt(difference / size)
}
