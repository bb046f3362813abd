import { describe, expect, it } from 'vitest'
import type { Component, ComponentOptions, ConfigOf } from '../../src/models/component.ts'
import { sd3Config } from '../../src/models/sd3/config.ts'
import { encodeText, type SD3Inputs, sd3Transformer } from '../../src/models/sd3/transformer.ts'
import type { Device } from '../../src/runtime/device.ts'
import { type Execution, onOneDevice } from '../../src/runtime/execution.ts'
import { unpatchify } from '../../src/runtime/ops/index.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { type GoldenTensor, goldenFolder, loadGolden } from '../support/golden_io.ts'
import { dividedByHeads, dividedByTokens } from '../support/joint_executions.ts'
import { relativeL2 } from '../support/numbers.ts'
import { onRanks } from '../support/ranks.ts'
import { expectSameInStages } from '../support/stages.ts'

type SD3 = Component<'SD3Transformer2DModel'>

/**
 * Two pictures of 3 x 7 tokens, 5 text tokens, QK norm, dual attention in the first of three blocks; the stored position
 * table is none that a formula gives.
 */
const SMALL = 'transformer_sd3_small'

const CASES = [
  [SMALL, 'io.safetensors', []],
  [SMALL, 'io_skip_layers.safetensors', [1]],
  ['transformer_sd3', 'io.safetensors', []],
  ['transformer_sd35_large', 'io.safetensors', []],
  ['transformer_sd35_medium', 'io.safetensors', []],
  ['transformer_sd35_medium', 'io_skip_layers.safetensors', [1]],
] as const

const load = (golden: string, device?: Device, options?: ComponentOptions<ConfigOf<'SD3Transformer2DModel'>>) =>
  goldenComponent('SD3Transformer2DModel', golden, device, options)

/** The case's inputs on the device, as the first stage takes them. */
function inputsOf(g: Recorder, { weights }: SD3, io: Record<string, GoldenTensor>): SD3Inputs {
  const upload = (name: string) =>
    g.upload(io[`input.${name}`].data as Float32Array<ArrayBuffer>, io[`input.${name}`].shape)
  return {
    latents: upload('hidden_states'),
    textHidden: encodeText(g, weights, upload('encoder_hidden_states')),
    timesteps: io['input.timestep'].data as Float32Array,
    pooled: upload('pooled_projections'),
  }
}

/** Tokens of the case's pictures. */
function tokensOf(io: Record<string, GoldenTensor>): number {
  const [, , height, width] = io['input.hidden_states'].shape
  return (height * width) / 4
}

describe('SD3 transformer', () => {
  it.each(CASES.filter(([golden]) => goldenFolder(golden)))(
    'predicts what diffusers predicts: %s, %s',
    async (golden, file, skipLayers) => {
      const sd3 = await load(golden)
      const { config, weights } = sd3
      const io = loadGolden(golden, file)
      const g = await testRecorder()
      const { patch, outChannels, layers } = config
      const [, , height, width] = io['input.hidden_states'].shape
      const sample = await g.scope(async () => {
        const inputs = { ...inputsOf(g, sd3, io), skipLayers }
        const { image } = await sd3Transformer(g, config, weights, inputs, onOneDevice(layers, tokensOf(io)))
        return unpatchify(g, image, { patch, channels: outChannels, height, width })
      })
      const expected = io['output.sample']
      expect(sample.shape).toEqual(expected.shape)
      expect(relativeL2(await g.read(sample), expected.data as Float32Array)).toBeLessThan(1e-5)
      g.reset()
      weights.free()
    },
  )

  it('gives the same bits in two stages, each with its own weights, wherever they are cut', async () => {
    const sd3 = await load(SMALL)
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const inputs = inputsOf(g, sd3, io)
    const end = sd3.config.layers
    const stage = async (given: Partial<SD3Inputs>, blocks: Execution['blocks']) => {
      const { config, weights } = await load(SMALL, undefined, { share: () => ({ blocks }) })
      const execution = { ...onOneDevice(end, tokensOf(io)), blocks }
      const states = await sd3Transformer(g, config, weights, { ...inputs, ...given }, execution)
      await g.flush()
      weights.free()
      return states
    }
    await expectSameInStages(g, end, stage)
    g.reset()
    sd3.weights.free()
  })

  it('predicts the same on ranks that share the heads and neurons of its blocks', async () => {
    const io = loadGolden(SMALL)
    const predicted = await onRanks(2, async (rank) => {
      const { g, index } = rank
      const sd3 = await load(SMALL, rank.device, { share: () => ({ tensor: { index, speeds: [1, 1] } }) })
      const execution = dividedByHeads(rank, 2, sd3.config.layers, tokensOf(io))
      return predict(g, sd3, io, execution)
    })
    const expected = await oneDevice(io)
    for (const values of predicted) expect(relativeL2(values, expected)).toBeLessThan(1e-5)
  })

  it('predicts the same on ranks that share the tokens of the image', async () => {
    const io = loadGolden(SMALL)
    const tokens = tokensOf(io)
    // Neither ends with a row of the picture.
    const ranges = [
      { first: 0, end: 10 },
      { first: 10, end: tokens },
    ]
    const parts = await onRanks(2, async (rank) => {
      const sd3 = await load(SMALL, rank.device)
      return predict(rank.g, sd3, io, dividedByTokens(rank, sd3.config.layers, ranges))
    })
    const together = [0, 1].flatMap((entry) =>
      parts.flatMap((part) => [...part.subarray((entry * part.length) / 2, ((entry + 1) * part.length) / 2)]),
    )
    expect(relativeL2(together, await oneDevice(io))).toBeLessThan(1e-5)
  })

  /** The patches that this rank predicts. */
  async function predict(g: Recorder, sd3: SD3, io: Record<string, GoldenTensor>, execution: Execution) {
    const { image } = await sd3Transformer(g, sd3.config, sd3.weights, inputsOf(g, sd3, io), execution)
    const values = await g.read(image)
    sd3.weights.free()
    return values
  }

  async function oneDevice(io: Record<string, GoldenTensor>) {
    const sd3 = await load(SMALL)
    const g = await testRecorder()
    const values = await predict(g, sd3, io, onOneDevice(sd3.config.layers, tokensOf(io)))
    g.reset()
    return values
  }

  it('refuses a picture that is larger than its positions', async () => {
    const sd3 = await load(SMALL)
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const latents = g.upload(new Float32Array(2 * 4 * 4 * 20), [2, 4, 4, 20])
    const large = sd3Transformer(
      g,
      sd3.config,
      sd3.weights,
      { ...inputsOf(g, sd3, io), latents },
      onOneDevice(sd3.config.layers, 20),
    )
    await expect(large).rejects.toThrow(/2 x 10 patches .* 9 x 9/)
    g.reset()
    sd3.weights.free()
  })
})

describe("SD3's config", () => {
  it('has the defaults of diffusers', () => {
    const config = sd3Config({ qk_norm: null, dual_attention_layers: [] })
    const { heads, width, layers, positions, qkNorm, dualAttention } = config
    expect([heads, width, layers, positions, qkNorm, dualAttention.size]).toEqual([18, 1152, 18, 96, false, 0])
  })

  it.each([
    [{ qk_norm: 'layer_norm' }, /qk_norm is "layer_norm"/],
    [{ caption_projection_dim: 1536 }, /caption_projection_dim differs/],
    [{ dual_attention_layers: [18] }, /dual_attention_layers/],
    [{ dual_attention_layers: 'all' }, /expected a list of integers/],
    [{ attention_head_dim: 66, caption_projection_dim: 1188, qk_norm: 'rms_norm' }, /heads of 66/],
  ])('refuses %j', (config, message) => {
    expect(() => sd3Config(config)).toThrow(message)
  })
})
