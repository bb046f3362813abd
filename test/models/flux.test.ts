import { describe, expect, it } from 'vitest'
import type { Component, ComponentOptions, ConfigOf } from '../../src/models/component.ts'
import { fluxConfig } from '../../src/models/flux/config.ts'
import { encodeText, type FluxInputs, fluxRotary, fluxTransformer } from '../../src/models/flux/transformer.ts'
import type { Ranks } from '../../src/parallel/crew/ranks.ts'
import { gatheringOf } from '../../src/parallel/methods/gathering.ts'
import type { Device } from '../../src/runtime/device.ts'
import { type Execution, onOneDevice } from '../../src/runtime/execution.ts'
import { narrow } from '../../src/runtime/ops/index.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { type GoldenTensor, goldenFolder, loadGolden } from '../support/golden_io.ts'
import { dividedByHeads, dividedByTokens } from '../support/joint_executions.ts'
import { relativeL2 } from '../support/numbers.ts'
import { onRanks } from '../support/ranks.ts'
import { expectSameInStages } from '../support/stages.ts'

type Flux = Component<'FluxTransformer2DModel'>

/** Two pictures of 3 x 5 tokens, 7 text tokens with positions of their own, guidance embedded; two blocks of each kind. */
const SMALL = 'transformer_flux_small'

const load = (golden: string, device?: Device, options?: ComponentOptions<ConfigOf<'FluxTransformer2DModel'>>) =>
  goldenComponent('FluxTransformer2DModel', golden, device, options)

const blocksOf = ({ config }: Flux) => config.layers + config.singleLayers

/** The case's inputs on the device, as the first stage takes them. */
function inputsOf(g: Recorder, { config, weights }: Flux, io: Record<string, GoldenTensor>): FluxInputs {
  const floats = (name: string) => io[`input.${name}`]?.data as Float32Array<ArrayBuffer>
  const upload = (name: string) => g.upload(floats(name), io[`input.${name}`].shape)
  return {
    latents: upload('hidden_states'),
    textHidden: encodeText(g, weights, upload('encoder_hidden_states')),
    rotary: fluxRotary(g, config, floats('img_ids'), floats('txt_ids')),
    timesteps: floats('timestep'),
    guidance: floats('guidance'),
    pooled: upload('pooled_projections'),
  }
}

const tokensOf = (io: Record<string, GoldenTensor>) => io['input.hidden_states'].shape[1]

describe('FLUX transformer', () => {
  it.each([SMALL, 'transformer_flux_dev', 'transformer_flux_schnell'].filter(goldenFolder))(
    'predicts what diffusers predicts: %s',
    async (golden) => {
      const flux = await load(golden)
      const io = loadGolden(golden)
      const g = await testRecorder()
      const { image } = await g.scope(() =>
        fluxTransformer(g, flux.config, flux.weights, inputsOf(g, flux, io), onOneDevice(blocksOf(flux), tokensOf(io))),
      )
      const expected = io['output.sample']
      expect(image.shape).toEqual(expected.shape)
      expect(relativeL2(await g.read(image), expected.data as Float32Array)).toBeLessThan(1e-5)
      g.reset()
      flux.weights.free()
    },
  )

  it('gives the same bits in two stages, each with its own weights, wherever they are cut', async () => {
    const flux = await load(SMALL)
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const inputs = inputsOf(g, flux, io)
    const end = blocksOf(flux)
    const stage = async (given: Partial<FluxInputs>, blocks: Execution['blocks']) => {
      const { config, weights } = await load(SMALL, undefined, { share: () => ({ blocks }) })
      const execution = { ...onOneDevice(end, tokensOf(io)), blocks }
      const states = await fluxTransformer(g, config, weights, { ...inputs, ...given }, execution)
      await g.flush()
      weights.free()
      return states
    }
    await expectSameInStages(g, end, stage)
    g.reset()
    flux.weights.free()
  })

  it('gives the same bits where ranks keep a share each of the weights of its blocks, of both kinds', async () => {
    const io = loadGolden(SMALL)
    const predict = async (g: Recorder, flux: Flux) => {
      const execution = onOneDevice(blocksOf(flux), tokensOf(io))
      const { image } = await fluxTransformer(g, flux.config, flux.weights, inputsOf(g, flux, io), execution)
      const values = await g.read(image)
      flux.weights.free()
      return values
    }
    const predicted = await onRanks(2, async ({ g, device, fabric, index }) => {
      const gathering = gatheringOf({ fabric } as Ranks, { ranks: [0, 1], index }, 'weights')
      return predict(g, await load(SMALL, device, { share: () => ({ gathering }) }))
    })
    const alone = await predict(await testRecorder(), await load(SMALL))
    for (const values of predicted) expect(values).toEqual(alone)
  })

  it('predicts the same on ranks that share the heads and neurons of its blocks', async () => {
    const io = loadGolden(SMALL)
    const predicted = await onRanks(2, async (rank) => {
      const { g, index } = rank
      const flux = await load(SMALL, rank.device, { share: () => ({ tensor: { index, speeds: [1, 1] } }) })
      const execution = dividedByHeads(rank, 2, blocksOf(flux), tokensOf(io))
      const { image } = await fluxTransformer(g, flux.config, flux.weights, inputsOf(g, flux, io), execution)
      const values = await g.read(image)
      flux.weights.free()
      return values
    })
    const expected = io['output.sample'].data as Float32Array
    for (const values of predicted) expect(relativeL2(values, expected)).toBeLessThan(1e-5)
  })

  it('predicts the same on ranks that share the tokens of the image', async () => {
    const io = loadGolden(SMALL)
    const expected = io['output.sample']
    const [batch, tokens, channels] = expected.shape
    const ranges = [
      { first: 0, end: 4 },
      { first: 4, end: tokens },
    ]
    const parts = await onRanks(2, async (rank) => {
      const { g } = rank
      const flux = await load(SMALL, rank.device)
      const { first, end } = ranges[rank.index]
      const inputs = inputsOf(g, flux, io)
      const own = { ...inputs, latents: narrow(g, inputs.latents!, 1, first, end) }
      const execution = dividedByTokens(rank, blocksOf(flux), ranges)
      const { image } = await fluxTransformer(g, flux.config, flux.weights, own, execution)
      const values = await g.read(image)
      flux.weights.free()
      return values
    })
    const together = Array.from({ length: batch }, (_, entry) =>
      parts.map((part) => [...part.subarray((entry * part.length) / batch, ((entry + 1) * part.length) / batch)]),
    ).flat(2)
    expect(together.length).toBe(batch * tokens * channels)
    expect(relativeL2(together, expected.data as Float32Array)).toBeLessThan(1e-5)
  })

  it('refuses guidance where the model has no use for it, and misses it where it has', async () => {
    const flux = await load(SMALL)
    const io = loadGolden(SMALL)
    const g = await testRecorder()
    const execution = onOneDevice(blocksOf(flux), tokensOf(io))
    const inputs = inputsOf(g, flux, io)
    const without = fluxTransformer(g, flux.config, flux.weights, { ...inputs, guidance: undefined }, execution)
    await expect(without).rejects.toThrow(/needs a guidance scale/)
    const schnell = { ...flux.config, guidanceEmbeds: false }
    await expect(fluxTransformer(g, schnell, flux.weights, inputs, execution)).rejects.toThrow(
      /takes no guidance scale/,
    )
    g.reset()
    flux.weights.free()
  })
})

describe("FLUX's config", () => {
  it('has the defaults of diffusers', () => {
    const { heads, headDim, width, outChannels, layers, singleLayers, ropeAxes } = fluxConfig({ out_channels: null })
    expect([heads, headDim, width, outChannels, layers, singleLayers]).toEqual([24, 128, 3072, 64, 19, 38])
    expect(ropeAxes).toEqual([16, 56, 56])
  })

  it.each([
    [{ axes_dims_rope: [16, 56] }, /axes_dims_rope \[16, 56\]/],
    [{ axes_dims_rope: [15, 57, 56] }, /even axes/],
    [{ axes_dims_rope: 128 }, /expected a list of integers/],
    [{ attention_head_dim: 130, axes_dims_rope: [16, 56, 58] }, /multiple of 4/],
    [{ num_layers: 1.5 }, /num_layers is 1.5/],
  ])('refuses %j', (config, message) => {
    expect(() => fluxConfig(config)).toThrow(message)
  })
})
