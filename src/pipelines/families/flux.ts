import { FLUX_TEACACHE } from '../../caches/teacache_coefficients.ts'
import { clipTextEncoder } from '../../models/clip/encoder.ts'
import { fluxConfig } from '../../models/flux/config.ts'
import { encodeText, fluxRotary, fluxTransformer } from '../../models/flux/transformer.ts'
import { patchify, unpatchify } from '../../runtime/ops/index.ts'
import { calculateShift } from '../../schedulers/dynamic_shift.ts'
import { linspace } from '../../schedulers/timestep_spacing.ts'
import { type Components, type Family, networkOf } from '../family.ts'
import { fluxWork } from '../mesh_plan/family_work/flux.ts'
import { checkInteger, checkNumber } from '../options.ts'
import { checkTokens, encodeWithT5, readTokens } from '../text.ts'
import { jointNetwork } from './joint_network.ts'
import { shiftRange } from './shift_range.ts'

/** Latents of a token, in rows and in columns. */
const PATCH = 2

/** Rows of latents of diffusers' native picture, 1024 pixels. */
const SAMPLE_SIZE = 128

/** FluxPipeline of diffusers: FLUX.1-dev, whose guidance is distilled, and -schnell, which has none. */
export const fluxFamily: Family = {
  networks: {
    text_encoder: 'CLIPTextModel',
    text_encoder_2: 'T5EncoderModel',
    transformer: 'FluxTransformer2DModel',
    vae: 'AutoencoderKL',
  },
  tokenizers: ['tokenizer', 'tokenizer_2'],
  defaults: { numInferenceSteps: 28, guidanceScale: 3.5 },
  imageDefaults: { numInferenceSteps: 28, guidanceScale: 7 },
  guidedByScale: false,
  teacacheCoefficients: FLUX_TEACACHE,
  ownOptions: ['prompt2', 'negativePrompt2', 'trueCfgScale', 'maxSequenceLength', 'image', 'strength'],

  facts(json) {
    const { layers, singleLayers, heads, headDim, inChannels, width } = fluxConfig(json)
    return {
      blocks: layers + singleLayers,
      heads,
      headDim,
      patch: PATCH,
      sampleSize: SAMPLE_SIZE,
      channels: inChannels / PATCH ** 2,
      widest: 5 * width,
    }
  },

  work: (json, { options: { maxSequenceLength = 512 } }) => fluxWork(fluxConfig(json), maxSequenceLength),

  guidance({ trueCfgScale = 1, negativePrompt }) {
    checkNumber('trueCfgScale', trueCfgScale, 0, 1000)
    return { guided: trueCfgScale > 1 && negativePrompt !== undefined, scale: trueCfgScale }
  },

  setTimesteps(scheduler, { steps, eta, tokens, config }) {
    const { use_dynamic_shifting: dynamic, use_flow_sigmas: flow } = config as Record<string, unknown>
    const mu = dynamic ? calculateShift(tokens, shiftRange(config)) : undefined
    scheduler.setTimesteps(steps, { eta, mu, sigmas: flow ? undefined : linspace(1, 1 / steps, steps) })
  },

  readTexts(components, texts, options) {
    const { maxSequenceLength = 512, guidanceScale = 3.5, trueCfgScale = 1 } = options
    const { clip, t5, transformer } = parts(components)
    const { config, weights } = transformer
    checkInteger('maxSequenceLength', maxSequenceLength, 1, 512)
    const { tokenizer, tokenizer_2 } = components.tokenizers
    const tokens = readTokens(tokenizer, texts, 0, tokenizer.modelMaxLength)
    const longTokens = readTokens(tokenizer_2, texts, 1, maxSequenceLength)
    return {
      warnings: [...tokens.warnings, ...longTokens.warnings],
      specs: [
        { shape: [texts.length, longTokens.length, t5.config.width], dtype: 'f32' },
        { shape: [texts.length, clip.config.width], dtype: 'f32' },
      ],
      async encode(g) {
        checkTokens(tokens, clip.config.vocabulary)
        const { pooled } = await clipTextEncoder(g, clip.config, clip.weights, tokens.ids, tokens.batch)
        return [await encodeWithT5(g, t5, longTokens, false), pooled]
      },
      async network(g, { encoded: [captions, pooled], rows, blocks, size }) {
        const { grid } = size
        const batch = rows.length
        const ids = Array.from({ length: grid.rows * grid.columns }, (_, token) => [
          0,
          Math.floor(token / grid.columns),
          token % grid.columns,
        ])
        const rotary = fluxRotary(g, config, ids.flat(), Array(longTokens.length * 3).fill(0))
        const guidance = config.guidanceEmbeds ? Array<number>(batch).fill(guidanceScale) : undefined
        const text = blocks.head ? encodeText(g, weights, captions) : undefined
        const network = jointNetwork({
          patch: PATCH,
          guidance: trueCfgScale,
          batch,
          width: config.width,
          textTokens: longTokens.length,
          text,
          run(g, { latents, timesteps, ...inputs }, execution) {
            const packed = latents && patchify(g, latents, { patch: PATCH, batch, ...execution.tokens })
            const sigmas = timesteps.map((t) => Math.fround(Math.fround(t) / 1000))
            const given = { ...inputs, latents: packed, rotary, timesteps: sigmas, guidance, pooled }
            return fluxTransformer(g, config, weights, given, execution)
          },
          unpatchify: (g, patches, rows) =>
            unpatchify(g, patches, {
              patch: PATCH,
              channels: config.inChannels / PATCH ** 2,
              height: rows * PATCH,
              width: grid.columns * PATCH,
              channelsFirst: true,
            }),
        })
        return { network, keeps: [text, pooled, rotary] }
      },
    }
  },
}

const parts = (components: Components) => ({
  clip: networkOf(components, 'text_encoder', 'CLIPTextModel'),
  t5: networkOf(components, 'text_encoder_2', 'T5EncoderModel'),
  transformer: networkOf(components, 'transformer', 'FluxTransformer2DModel'),
})
