import { NETWORKS } from '../../src/models/component.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors_writer.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { random } from './numbers.ts'

export interface RandomPixArt {
  readonly layers?: number
  readonly heads?: number
  readonly headDim?: number
  readonly sampleSize?: number
}

/** A small PixArt transformer with fresh random weights, as a checkpoint in memory: scaled so that signals keep their size. */
export function randomPixArt({ layers = 2, heads = 10, headDim = 8, sampleSize = 16 }: RandomPixArt = {}): Source {
  const config = {
    _class_name: 'PixArtTransformer2DModel',
    num_attention_heads: heads,
    attention_head_dim: headDim,
    cross_attention_dim: heads * headDim,
    in_channels: 4,
    out_channels: 8,
    num_layers: layers,
    patch_size: 2,
    sample_size: sampleSize,
    caption_channels: 24,
    use_additional_conditions: false,
  }
  const network = NETWORKS.PixArtTransformer2DModel
  const tensors = [...network.parameters(network.config(config)).all].map(([name, { shape }]) => {
    const [out, ...inputs] = shape
    const depth = inputs.reduce((a, b) => a * b, 1)
    const size = shape.reduce((a, b) => a * b, 1)
    const amplitude = inputs.length > 0 && out > 6 ? Math.sqrt(3 / depth) : 0.3
    return [name, { dtype: 'F32', shape: [...shape], data: random(size, amplitude) }] as [string, HostTensor]
  })
  return memorySource(
    new Map([
      ['config.json', new TextEncoder().encode(JSON.stringify(config))],
      ['diffusion_pytorch_model.safetensors', writeSafetensors(Object.fromEntries(tensors))],
    ]),
    'random PixArt',
  )
}
