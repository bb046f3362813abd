import { attention, gather, linear, relativeBias, rmsNorm } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { T5Config } from './config.ts'

/** Below every score, so that padding has no weight: transformers' torch.finfo(float32).min. */
const MASKED = -3.4028234663852886e38

/**
 * T5EncoderModel, v1.1 (Raffel et al. 2020; transformers modeling_t5.py). Attention is not scaled. The gated hidden states
 * exceed f16 in large checkpoints, so they stay f32 in every tier, as transformers keeps `wo`.
 *
 * @param ids token ids, batch · tokens of them
 * @param mask 1 for text and 0 for padding, as many; without one, padding takes part (as SD3 and FLUX do it)
 * @returns the last hidden state [batch, tokens, width]
 */
export async function t5Encoder(
  g: Recorder,
  c: T5Config,
  w: Weights,
  ids: ArrayLike<number>,
  batch: number,
  mask?: ArrayLike<number>,
): Promise<Tensor> {
  const tokens = ids.length / batch
  const padding =
    mask &&
    g.upload(
      Float32Array.from(mask, (m) => (m ? 0 : MASKED)),
      [batch, tokens],
      'padding',
    )
  const firstAttention = w.at('encoder').at('block').at(0).at('layer').at(0).at('SelfAttention')
  const bias = relativeBias(
    g,
    firstAttention.tensor('relative_attention_bias.weight'),
    g.upload(relativeBuckets(c, tokens), [2 * tokens - 1], 'buckets'),
    tokens,
    tokens,
  )
  let x = gather(g, w.tensor('shared.weight'), g.upload(Uint32Array.from(ids), [batch, tokens], 'ids'))
  for (let i = 0; i < c.layers; i++) {
    const weights = w.at('encoder').at('block').at(i)
    const before = x
    x = await weights.using(g, (own) => g.scope(() => block(g, c, own, before, bias, padding)))
    g.release(before)
  }
  return rmsNorm(g, x, { eps: c.eps, weight: w.tensor('encoder.final_layer_norm.weight') })
}

function block(g: Recorder, c: T5Config, w: Weights, x: Tensor, bias: Tensor, padding: Tensor | undefined): Tensor {
  const layer = w.at('layer')
  const self = layer.at(0).at('SelfAttention')
  const a = rmsNorm(g, x, { eps: c.eps, weight: layer.at(0).tensor('layer_norm.weight'), as: 'operand' })
  const [q, k, v] = ['q', 'k', 'v'].map((part) => linear(g, a, self.affine(part), { as: 'operand' }))
  const attended = attention(g, { q, k, v, heads: c.heads, scale: 1, bias, mask: padding })
  const h = linear(g, attended, self.affine('o'), { residual: x })

  const dense = layer.at(1).at('DenseReluDense')
  const f = rmsNorm(g, h, { eps: c.eps, weight: layer.at(1).tensor('layer_norm.weight'), as: 'operand' })
  const gated = linear(g, f, dense.affine('wi_0'), {
    activation: 'gelu_tanh',
    multiply: linear(g, f, dense.affine('wi_1')),
  })
  return linear(g, gated, dense.affine('wo'), { residual: h })
}

/** The bucket of each distance key - query from 1 - tokens up to tokens - 1 (bidirectional: half for each sign). */
export function relativeBuckets(c: Pick<T5Config, 'buckets' | 'maxDistance'>, tokens: number): Uint32Array {
  const half = c.buckets / 2
  const exact = Math.floor(half / 2) // distances below this have a bucket of their own, farther ones share
  return Uint32Array.from({ length: 2 * tokens - 1 }, (_, i) => {
    const distance = i - (tokens - 1)
    const far = Math.abs(distance)
    const scale = Math.fround(Math.log(Math.fround(far / exact))) / Math.log(c.maxDistance / exact)
    const bucket = far < exact ? far : Math.min(exact + Math.floor(scale * (half - exact)), half - 1)
    return bucket + (distance > 0 ? half : 0)
  })
}
