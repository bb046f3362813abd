import { linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { RowsExecution } from '../../runtime/rows_execution.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { AutoencoderKLConfig } from './config.ts'

/** Added to variances in all of the autoencoder's norms (resnet_eps of diffusers' Encoder and Decoder). */
const EPS = 1e-6

/** ResnetBlock2D without a time embedding, of x [batch, height, width, channels], which is spent. */
export function resnet(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  rows: RowsExecution,
): Promise<Tensor> {
  return g.scope(async () => {
    const hidden = await rows.conv2d(g, x, w.affine('conv1'), { norm: normSilu(c, w, 'norm1') })
    const changesWidth = hidden.dim(-1) !== x.dim(-1)
    const residual = changesWidth ? await rows.conv2d(g, x, w.affine('conv_shortcut'), { spent: true }) : x
    const last = { norm: normSilu(c, w, 'norm2'), spent: true, residual }
    const y = await rows.conv2d(g, hidden, w.affine('conv2'), last)
    g.release(residual)
    return y
  })
}

/** UNetMidBlock2D: two resnets, with attention between them where the config has it. x is spent. */
export async function midBlock(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  rows: RowsExecution,
): Promise<Tensor> {
  let y = await resnet(g, c, w.at('resnets').at(0), x, rows)
  if (c.midAttention) y = await selfAttention(g, c, w.at('attentions').at(0), y, rows)
  return resnet(g, c, w.at('resnets').at(1), y, rows)
}

/** One head as wide as the channels, over all pixels. x is spent. */
function selfAttention(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  rows: RowsExecution,
): Promise<Tensor> {
  return g.scope(async () => {
    const norm = { groups: c.groups, eps: EPS, ...w.norm('group_norm'), as: 'operand' } as const
    const normed = await rows.groupNorm(g, x, norm)
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((part) => linear(g, normed, w.affine(part), { as: 'operand' }))
    g.release(normed)
    const attended = await rows.attend(g, { q, k, v, heads: 1 })
    const y = linear(g, attended, w.affine('to_out.0'), { residual: x })
    g.release(x)
    return y
  })
}

/** conv_norm_out, SiLU, conv_out: the end of both halves. x is spent. */
export const normedConvOut = (
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  rows: RowsExecution,
): Promise<Tensor> => rows.conv2d(g, x, w.affine('conv_out'), { norm: normSilu(c, w, 'conv_norm_out'), spent: true })

const normSilu = (c: AutoencoderKLConfig, w: Weights, name: string) =>
  ({ groups: c.groups, eps: EPS, ...w.norm(name), silu: true, as: 'operand' }) as const
