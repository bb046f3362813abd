import { describe, expect, it } from 'vitest'
import { NETWORKS } from '../../../src/models/component.ts'
import type { NetworkWork } from '../../../src/parallel/cost/work.ts'
import { fluxWork } from '../../../src/pipelines/mesh_plan/family_work/flux.ts'
import { hunyuanDiTWork } from '../../../src/pipelines/mesh_plan/family_work/hunyuan_dit.ts'
import { pixartWork } from '../../../src/pipelines/mesh_plan/family_work/pixart.ts'
import { sd3Work } from '../../../src/pipelines/mesh_plan/family_work/sd3.ts'
import type { Parameters } from '../../../src/runtime/weights/parameters.ts'

const { FluxTransformer2DModel, SD3Transformer2DModel, PixArtTransformer2DModel, HunyuanDiT2DModel } = NETWORKS

const flux = FluxTransformer2DModel.config({ guidance_embeds: true })
const medium = SD3Transformer2DModel.config({
  num_attention_heads: 24,
  num_layers: 24,
  caption_projection_dim: 1536,
  dual_attention_layers: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  qk_norm: 'rms_norm',
})
const pixart = PixArtTransformer2DModel.config({ num_layers: 28, out_channels: 8 })
const hunyuan = HunyuanDiT2DModel.config({ num_layers: 40, hidden_size: 1408, mlp_ratio: 4.3637 })

/** Two FLOP for each value of a block's matrices that match. */
function flopsOf({ all }: Parameters, block: number, matches: (name: string) => boolean): number {
  const matrices = [...all].filter(([, { at, as, shape }]) => at === block && as === 'operand' && shape.length === 2)
  const own = matrices.filter(([name]) => matches(name))
  return own.reduce((sum, [, { shape }]) => sum + 2 * shape[0] * shape[1], 0)
}

/** Layers that are told of the step alone, not of each token. */
const MODULATION = /\.norm1?(_context)?\.linear\./
const TEXT = /\.(add_[qkv]_proj|to_add_out|ff_context)\b/
const SINGLE = /^single_transformer_blocks\./
/** Keys of cross-attention are made once for all steps. */
const CROSS_KEYS = /\.attn2\.to_[kv]\./
const QKV = /\.to_[qkv]\./

type Case = readonly [
  name: string,
  work: NetworkWork,
  parameters: Parameters,
  image: (name: string) => boolean,
  text: (name: string, last: boolean) => boolean,
]
const CASES: Case[] = [
  [
    'FLUX.1-dev',
    fluxWork(flux, 512),
    FluxTransformer2DModel.parameters(flux),
    (name) => !TEXT.test(name),
    (name, last) => (SINGLE.test(name) ? !last || QKV.test(name) : TEXT.test(name)),
  ],
  [
    'SD3.5-medium',
    sd3Work(medium, 333),
    SD3Transformer2DModel.parameters(medium),
    (name) => !TEXT.test(name),
    (name) => TEXT.test(name),
  ],
  [
    'PixArt',
    pixartWork(pixart),
    PixArtTransformer2DModel.parameters(pixart),
    (name) => !CROSS_KEYS.test(name),
    () => false,
  ],
  [
    'HunyuanDiT',
    hunyuanDiTWork(hunyuan, false),
    HunyuanDiT2DModel.parameters(hunyuan),
    (name) => !CROSS_KEYS.test(name),
    () => false,
  ],
]

describe.each(CASES)('%s', (_, { blocks }, parameters, image, text) => {
  it('takes each token through the matrices of every block, and nothing else', () => {
    const numbers = [...parameters.all.values()].map(({ at }) => (typeof at === 'number' ? at : -1))
    expect(blocks).toHaveLength(1 + Math.max(...numbers))
    for (const [i, { flops }] of blocks.entries()) {
      const last = i === blocks.length - 1
      const each = (own: (name: string) => boolean) =>
        flopsOf(parameters, i, (name) => !MODULATION.test(name) && own(name))
      expect([i, flops]).toEqual([i, { image: each(image), text: each((name) => text(name, last)) }])
    }
  })

  it('has a sum for every matrix whose inputs are divided, and says what no rank divides', () => {
    for (const [i, { sums, flops, undivided = 0 }] of blocks.entries()) {
      const own = [...parameters.all].filter(([, { at }]) => at === i)
      const summed = own.filter(([name, { cut }]) => cut?.axis === 1 && name.endsWith('.weight'))
      // Single blocks of FLUX take the image and the text through the same ones; behind the last nobody wants the text.
      const both = SINGLE.test(own[0][0]) ? sums.text : 0
      expect(sums.image + sums.text - both).toBe(summed.length)
      const whole = new Set(own.filter(([, { cut }]) => cut === undefined).map(([name]) => name))
      expect([i, undivided]).toEqual([i, flopsOf(parameters, i, (name) => !MODULATION.test(name) && whole.has(name))])
      expect(undivided).toBeLessThan(flops.image)
    }
  })
})

it('a step of FLUX.1-dev at 1024 x 1024 takes the 74 TFLOP that its sizes make', () => {
  const { blocks } = fluxWork(flux, 512)
  const linear = blocks.reduce((sum, { flops }) => sum + 4096 * flops.image + 512 * flops.text, 0)
  const attention = blocks.reduce((sum, { attentions }) => sum + attentions.joint * 4608 ** 2 * 4 * 3072, 0)
  // 57 blocks of 12 matrices of 3072 x 3072, over 4608 tokens, but for the last one's text.
  expect(linear).toBe(2 * 3072 ** 2 * (57 * 12 * 4608 - 9 * 512))
  expect((linear + attention) / 1e12).toBeCloseTo(74.3, 1)
})
