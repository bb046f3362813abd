import { NETWORKS } from '../../src/models/component.ts'
import type { Source } from '../../src/runtime/weights/source.ts'

/** Values that are repeated over all weights: bf16, about -0.02 to 0.02. */
const PATTERN = 4 * 2 ** 20

/** A transformer with blocks as wide as FLUX.1's and weights that are made up as they are read: a folder that is not there. */
export function wideBlocks(layers: number): Source {
  const config = {
    _class_name: 'PixArtTransformer2DModel',
    num_attention_heads: 24,
    attention_head_dim: 128,
    cross_attention_dim: 24 * 128,
    in_channels: 4,
    out_channels: 4,
    num_layers: layers,
    patch_size: 2,
    sample_size: 64,
    caption_channels: 256,
    use_additional_conditions: false,
  }
  const network = NETWORKS.PixArtTransformer2DModel
  const header: Record<string, unknown> = {}
  let end = 0
  for (const [name, { shape }] of network.parameters(network.config(config)).all) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1)
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, (end += bytes)] }
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const headerBytes = Math.ceil(json.length / 8) * 8
  const file = new Uint8Array(8 + headerBytes).fill(0x20)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  file.set(json, 8)
  const text = new TextEncoder().encode(JSON.stringify(config))
  const pattern = new Uint8Array(weights().buffer)
  const bytesOf = (path: string) => (path === 'config.json' ? text.length : file.length + end)
  const known = ['config.json', 'diffusion_pytorch_model.safetensors']
  return {
    name: 'wide blocks',
    size: async (path) => bytesOf(path),
    exists: async (path) => known.includes(path),
    list: async () => known,
    async readInto(path, offset, target) {
      if (path === 'config.json') return target.set(text.subarray(offset, offset + target.length))
      for (let at = 0; at < target.length; ) {
        const place = offset + at
        const from =
          place < file.length ? file.subarray(place) : pattern.subarray((place - file.length) % pattern.length)
        const piece = from.subarray(0, target.length - at)
        target.set(piece, at)
        at += piece.length
      }
    },
    readText: async () => new TextDecoder().decode(text),
    async close() {},
  }
}

function weights(): Uint16Array<ArrayBuffer> {
  let state = 1
  const floats = new Float32Array(1)
  const words = new Uint32Array(floats.buffer)
  return Uint16Array.from({ length: PATTERN }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    floats[0] = (state / 2 ** 31 - 1) * 0.02
    return words[0] >>> 16
  })
}
