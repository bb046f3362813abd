import { decode } from '../models/autoencoder_kl/decode.ts'
import type { Component } from '../models/component.ts'
import { combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** Final latents [pictures, channels, height, width] → [pictures, 3, height · scale, width · scale], about -1 to 1. */
export function decodeLatents(g: Recorder, vae: Component<'AutoencoderKL'>, latents: Tensor): Promise<Tensor> {
  const { config, weights } = vae
  const z = combine(g, [
    [latents, 1 / config.scalingFactor],
    [g.upload(new Float32Array([config.shiftFactor]), [1], 'shift'), 1],
  ])
  return decode(g, config, weights, z)
}
