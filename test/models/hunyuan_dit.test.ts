import { describe, expect, it } from 'vitest'
import type { Component, ComponentOptions, ConfigOf } from '../../src/models/component.ts'
import { hunyuanDiTConfig } from '../../src/models/hunyuan_dit/config.ts'
import { skipsAcross } from '../../src/models/hunyuan_dit/skips.ts'
import { encodeText } from '../../src/models/hunyuan_dit/text.ts'
import { type HunyuanDiTInputs, hunyuanDiTTransformer } from '../../src/models/hunyuan_dit/transformer.ts'
import { cropRegion, rotary2d, uploadRotary } from '../../src/models/rotary.ts'
import type { Device } from '../../src/runtime/device.ts'
import { type Execution, onOneDevice } from '../../src/runtime/execution.ts'
import { unpatchify } from '../../src/runtime/ops/index.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { type GoldenTensor, goldenFolder, loadGolden } from '../support/golden_io.ts'
import { dividedByHeads, dividedByTokens } from '../support/joint_executions.ts'
import { relativeL2 } from '../support/numbers.ts'
import { onRanks } from '../support/ranks.ts'

type HunyuanDiT = Component<'HunyuanDiT2DModel'>

/** Two pictures of 3 x 5 tokens, 5 + 7 text tokens, six blocks, 52 neurons, size and style as conditions. */
const SMALL = 'transformer_hunyuan_small'

const load = (golden: string, device?: Device, options?: ComponentOptions<ConfigOf<'HunyuanDiT2DModel'>>) =>
  goldenComponent('HunyuanDiT2DModel', golden, device, options)

/** The case's inputs on the device, as the first stage takes them. */
async function inputsOf(
  g: Recorder,
  { config, weights }: HunyuanDiT,
  io: Record<string, GoldenTensor>,
  blocks: { first: number; end: number } = { first: 0, end: config.layers },
): Promise<HunyuanDiTInputs> {
  const floats = (name: string) => io[`input.${name}`].data as Float32Array<ArrayBuffer>
  const upload = (name: string) => g.upload(floats(name), io[`input.${name}`].shape)
  const [batch, textTokens] = io['input.encoder_hidden_states'].shape
  const masks = ['text_embedding_mask', 'text_embedding_mask_t5'].map((name) =>
    Array.from(io[`input.${name}`].data as BigInt64Array, Number),
  )
  const rowsOf = (k: number, entry: number) => {
    const tokens = masks[k].length / batch
    return masks[k].slice(entry * tokens, (entry + 1) * tokens)
  }
  expect(textTokens).toBe(config.textTokens)
  const sizes = io['input.image_meta_size']?.data as Float32Array | undefined
  const text = await encodeText(
    g,
    config,
    weights,
    {
      bert: upload('encoder_hidden_states'),
      t5: upload('encoder_hidden_states_t5'),
      mask: Array.from({ length: batch }, (_, entry) => [...rowsOf(0, entry), ...rowsOf(1, entry)]).flat(),
      conditions: sizes && { sizes },
    },
    blocks,
  )
  const { rows, columns } = gridOf(io)
  const tables = rotary2d(config.headDim, cropRegion(rows, columns, 32), rows, columns)
  const timesteps = floats('timestep')
  return { latents: upload('hidden_states'), timesteps, text, rotary: uploadRotary(g, tables, config.headDim) }
}

function gridOf(io: Record<string, GoldenTensor>) {
  const [, , height, width] = io['input.hidden_states'].shape
  return { rows: height / 2, columns: width / 2 }
}

function tokensOf(io: Record<string, GoldenTensor>): number {
  const { rows, columns } = gridOf(io)
  return rows * columns
}

/** The patches, or what goes to the next stage, that this rank computes. */
async function run(
  g: Recorder,
  model: HunyuanDiT,
  io: Record<string, GoldenTensor>,
  execution: Execution,
  activations?: readonly Tensor[],
) {
  const inputs = await inputsOf(g, model, io, execution.blocks)
  const given = activations ? { ...inputs, latents: undefined, activations } : inputs
  const states = await hunyuanDiTTransformer(g, model.config, model.weights, given, execution)
  await g.flush()
  return states
}

describe('HunyuanDiT', () => {
  it.each([SMALL, 'transformer_hunyuan_v11', 'transformer_hunyuan_v12'].filter(goldenFolder))(
    'predicts what diffusers predicts: %s',
    async (golden) => {
      const model = await load(golden)
      const { config, weights } = model
      const io = loadGolden(golden)
      const g = await testRecorder()
      const [, , height, width] = io['input.hidden_states'].shape
      const sample = await g.scope(async () => {
        const [patches] = await run(g, model, io, onOneDevice(config.layers, tokensOf(io)))
        return unpatchify(g, patches, { patch: config.patch, channels: config.outChannels, height, width })
      })
      const expected = io['output.sample']
      expect(sample.shape).toEqual(expected.shape)
      expect(relativeL2(await g.read(sample), expected.data as Float32Array)).toBeLessThan(1e-5)
      g.reset()
      weights.free()
    },
  )

  it('gives the same bits in two stages, each with its own weights, wherever they are cut', async () => {
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const tokens = tokensOf(io)
    const stage = async (blocks: Execution['blocks'], activations?: readonly Tensor[]) => {
      const model = await load(SMALL, undefined, { share: () => ({ blocks }) })
      const states = await run(g, model, io, { ...onOneDevice(6, tokens), blocks }, activations)
      model.weights.free()
      return states
    }
    const expected = await g.read((await stage({ first: 0, end: 6, head: true, tail: true }))[0])
    for (let cut = 0; cut <= 6; cut++) {
      const handed = await stage({ first: 0, end: cut, head: true, tail: false })
      expect(handed).toHaveLength(1 + skipsAcross(6, cut).length)
      const divided = await stage({ first: cut, end: 6, head: false, tail: true }, handed)
      expect(await g.read(divided[0])).toEqual(expected)
    }
    g.reset()
  })

  it('predicts the same on ranks that share the heads and neurons of its blocks', async () => {
    const io = loadGolden(SMALL)
    const predicted = await onRanks(2, async (rank) => {
      const { g, index } = rank
      const model = await load(SMALL, rank.device, { share: () => ({ tensor: { index, speeds: [1, 1] } }) })
      const [patches] = await run(g, model, io, dividedByHeads(rank, 2, model.config.layers, tokensOf(io)))
      return g.read(patches)
    })
    const expected = await oneDevice(io)
    for (const values of predicted) expect(relativeL2(values, expected)).toBeLessThan(1e-5)
  })

  it('predicts the same on ranks that share the tokens of the image', async () => {
    const io = loadGolden(SMALL)
    const ranges = [
      { first: 0, end: 7 },
      { first: 7, end: tokensOf(io) },
    ]
    const parts = await onRanks(2, async (rank) => {
      const model = await load(SMALL, rank.device)
      const [patches] = await run(rank.g, model, io, dividedByTokens(rank, model.config.layers, ranges))
      return rank.g.read(patches)
    })
    const together = [0, 1].flatMap((entry) =>
      parts.flatMap((part) => [...part.subarray((entry * part.length) / 2, ((entry + 1) * part.length) / 2)]),
    )
    expect(relativeL2(together, await oneDevice(io))).toBeLessThan(1e-5)
  })

  async function oneDevice(io: Record<string, GoldenTensor>): Promise<Float32Array> {
    const model = await load(SMALL)
    const g = await testRecorder()
    const [patches] = await run(g, model, io, onOneDevice(model.config.layers, tokensOf(io)))
    const values = await g.read(patches)
    g.reset()
    model.weights.free()
    return values
  }

  it('needs a size where its version does', async () => {
    const model = await load(SMALL)
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const { 'input.image_meta_size': _, ...without } = io
    await expect(inputsOf(g, model, without)).rejects.toThrow(/needs a picture size/)
    g.reset()
    model.weights.free()
  })
})

describe('what crosses a border between stages', () => {
  it.each([
    [40, 0, []],
    [40, 1, []],
    [40, 3, [0, 1]],
    [40, 20, Array.from({ length: 19 }, (_, i) => i)],
    [40, 22, Array.from({ length: 18 }, (_, i) => i)],
    [40, 39, [0]],
    [40, 40, []],
    [2, 1, []],
    [1, 1, []],
  ])('of %i blocks before block %i: skips %j', (layers, border, skips) => {
    expect(skipsAcross(layers, border)).toEqual(skips)
  })
})

describe("HunyuanDiT's config", () => {
  it('has the defaults of diffusers', () => {
    const { heads, width, layers, neurons, textTokens, t5Tokens, outChannels, sizeAndStyle } = hunyuanDiTConfig({
      hidden_size: 1408,
      mlp_ratio: 4.3637,
      num_layers: 40,
    })
    expect([heads, width, layers, neurons, textTokens, t5Tokens, outChannels, sizeAndStyle]).toEqual([
      16,
      1408,
      40,
      6144,
      77,
      256,
      8,
      true,
    ])
  })

  it.each([
    [{ hidden_size: 1152 }, /hidden_size differs from heads x head_dim = 1408/],
    [{ hidden_size: 1376, attention_head_dim: 86 }, /heads of 86/],
    [{ hidden_size: 1408, num_layers: 7 }, /7 layers/],
    [{ hidden_size: 1408, activation_fn: 'geglu' }, /activation_fn is "geglu"/],
    [{ hidden_size: 1408, norm_type: 'rms_norm' }, /norm_type is "rms_norm"/],
    [{ hidden_size: 1408, cross_attention_dim_t5: 2044 }, /cross_attention_dim_t5 of 2044/],
  ])('refuses %j', (config, message) => {
    expect(() => hunyuanDiTConfig(config)).toThrow(message)
  })
})
