import { expect, it } from 'vitest'
import { NETWORKS } from '../../src/models/component.ts'
import { fluxRotary, fluxTransformer } from '../../src/models/flux/transformer.ts'
import { sd3Transformer } from '../../src/models/sd3/transformer.ts'
import { Device } from '../../src/runtime/device.ts'
import { type Execution, onOneDevice } from '../../src/runtime/execution.ts'
import { paperPlatform } from '../../src/runtime/paper_device.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { deviceTensor, type Parameters } from '../../src/runtime/weights/parameters.ts'
import { Weights } from '../../src/runtime/weights/weights.ts'

const [WIDTH, TOKENS, TEXTS] = [256, 1024, 128]
const HEADS = { num_attention_heads: 4, attention_head_dim: 64, joint_attention_dim: 64, pooled_projection_dim: 64 }

const paper = () =>
  Device.open(
    paperPlatform({
      info: { vendor: '', architecture: '', device: 'paper', description: '', isFallbackAdapter: false },
      features: [],
      limits: { maxBufferSize: 2 ** 32, maxStorageBufferBindingSize: 2 ** 32 - 4 },
    }),
  )

async function weightsOf(device: Device, parameters: Parameters): Promise<Weights> {
  const tensors = new Map<string, Tensor>()
  for (const [name, parameter] of parameters.all) {
    const tensor = deviceTensor(name, parameter, device.target)
    const buffer = await device.buffer({ size: tensor.bytes, usage: GPUBufferUsage.STORAGE })
    tensor.placement = { buffer, bytes: tensor.bytes }
    tensors.set(name, tensor)
  }
  return new Weights(device, tensors)
}

/** As on ranks that exchange keys: what is recorded runs before each attention, long before scopes end. */
const exchanging = (blocks: number): Execution => {
  const alone = onOneDevice(blocks, TOKENS)
  return {
    ...alone,
    attend: async (g, site, inputs) => {
      await g.flush()
      return alone.attend(g, site, inputs)
    },
  }
}

/** Bytes of activations that a pass of a network of so many blocks takes at most. */
const NETWORKS_OF_MMDIT = {
  async flux(blocks: number): Promise<number> {
    const network = NETWORKS.FluxTransformer2DModel
    const layers = { num_layers: blocks / 2, num_single_layers: blocks / 2, axes_dims_rope: [16, 24, 24] }
    const config = network.config({ ...HEADS, ...layers })
    const device = await paper()
    const weights = await weightsOf(device, network.parameters(config))
    const g = new Recorder(device)
    const zeros = (...shape: number[]) => g.upload(new Float32Array(shape.reduce((a, b) => a * b)), shape)
    await fluxTransformer(
      g,
      config,
      weights,
      {
        latents: zeros(1, TOKENS, 64),
        textHidden: zeros(1, TEXTS, WIDTH),
        rotary: fluxRotary(g, config, new Float32Array(3 * TOKENS), new Float32Array(3 * TEXTS)),
        timesteps: [1],
        pooled: zeros(1, 64),
      },
      exchanging(blocks),
    )
    await g.flush()
    return device.arena.peak
  },

  async sd3(blocks: number): Promise<number> {
    const network = NETWORKS.SD3Transformer2DModel
    const config = network.config({ ...HEADS, num_layers: blocks, caption_projection_dim: WIDTH })
    const device = await paper()
    const weights = await weightsOf(device, network.parameters(config))
    const g = new Recorder(device)
    const zeros = (...shape: number[]) => g.upload(new Float32Array(shape.reduce((a, b) => a * b)), shape)
    const inputs = {
      latents: zeros(1, 16, 64, 64),
      textHidden: zeros(1, TEXTS, WIDTH),
      timesteps: [1],
      pooled: zeros(1, 64),
    }
    await sd3Transformer(g, config, weights, inputs, exchanging(blocks))
    await g.flush()
    return device.arena.peak
  },
}

it.each(Object.entries(NETWORKS_OF_MMDIT))(
  '%s: a pass that ranks carry out together takes no more memory for more blocks',
  async (_, peakOf) => {
    const states = 4 * (TOKENS + TEXTS) * WIDTH
    const [few, many] = [await peakOf(6), await peakOf(18)]
    expect(few).toBeGreaterThan(states)
    expect(many - few).toBeLessThan(states)
  },
)
