import { bertEncoder } from '../../models/bert/encoder.ts'
import { hunyuanDiTConfig } from '../../models/hunyuan_dit/config.ts'
import { skipsAcross } from '../../models/hunyuan_dit/skips.ts'
import { encodeText } from '../../models/hunyuan_dit/text.ts'
import { hunyuanDiTTransformer } from '../../models/hunyuan_dit/transformer.ts'
import { cropRegion, rotary2d, uploadRotary } from '../../models/rotary.ts'
import { unpatchify } from '../../runtime/ops/index.ts'
import { HUNYUAN_BINS } from '../binning.ts'
import { type Components, type Family, networkOf } from '../family.ts'
import { hunyuanDiTWork } from '../mesh_plan/family_work/hunyuan_dit.ts'
import { checkNumber } from '../options.ts'
import { checkTokens, encodeWithT5, readTokens } from '../text.ts'

const SCALE = 5

/** What diffusers tells models of the size that a picture had before it was cropped. */
const ORIGINAL_SIZE = [1024, 1024]

/** Pixels of a side that rotary positions span in training. */
const TRAINED_SIDE = 512

/** HunyuanDiTPipeline of diffusers: versions 1.1, which is told sizes, and 1.2. */
export const hunyuanDiTFamily: Family = {
  networks: {
    text_encoder: 'BertModel',
    text_encoder_2: 'T5EncoderModel',
    transformer: 'HunyuanDiT2DModel',
    vae: 'AutoencoderKL',
  },
  tokenizers: ['tokenizer', 'tokenizer_2'],
  defaults: { numInferenceSteps: 50, guidanceScale: SCALE },
  guidedByScale: true,
  binning: HUNYUAN_BINS,
  ownOptions: ['guidanceRescale'],

  facts(json) {
    const { layers, heads, headDim, patch, sampleSize, inChannels, width, neurons } = hunyuanDiTConfig(json)
    return {
      blocks: layers,
      heads,
      headDim,
      patch,
      sampleSize,
      channels: inChannels,
      widest: Math.max(neurons, 3 * width),
    }
  },

  work: (json, { options: { guidanceRescale = 0 } }) => hunyuanDiTWork(hunyuanDiTConfig(json), guidanceRescale > 0),

  guidance({ guidanceScale = SCALE, guidanceRescale = 0 }) {
    checkNumber('guidanceRescale', guidanceRescale, 0, 1)
    return { guided: guidanceScale > 1, scale: guidanceScale }
  },

  setTimesteps: (scheduler, { steps, eta }) => scheduler.setTimesteps(steps, { eta }),

  readTexts(components, texts, { guidanceScale = SCALE, guidanceRescale }) {
    const { tokenizer, tokenizer_2 } = components.tokenizers
    const { bert, t5, transformer } = parts(components)
    const { config, weights } = transformer
    const tokens = readTokens(tokenizer, texts, 0, config.textTokens)
    const longTokens = readTokens(tokenizer_2, texts, 1, config.t5Tokens)
    return {
      warnings: [...tokens.warnings, ...longTokens.warnings],
      specs: [
        { shape: [texts.length, tokens.length, bert.config.width], dtype: 'f32' },
        { shape: [texts.length, longTokens.length, t5.config.width], dtype: 'f32' },
      ],
      async encode(g) {
        checkTokens(tokens, bert.config.vocabulary)
        const { ids, mask, batch } = tokens
        return [
          await bertEncoder(g, bert.config, bert.weights, { ids, mask, batch }),
          await encodeWithT5(g, t5, longTokens),
        ]
      },
      async network(g, { encoded: [states, longStates], rows, blocks, size: { grid, height, width } }) {
        const batch = rows.length
        const maskOf = (row: number) =>
          [tokens, longTokens].flatMap(({ mask, length }) => [...mask.subarray(row * length, (row + 1) * length)])
        const captions = {
          bert: states,
          t5: longStates,
          mask: Array.from(rows).flatMap(maskOf),
          conditions: {
            sizes: Array(batch)
              .fill([...ORIGINAL_SIZE, height, width, 0, 0])
              .flat(),
          },
        }
        const text = await encodeText(g, config, weights, captions, blocks)
        const { patch, headDim, inChannels } = config
        const region = cropRegion(grid.rows, grid.columns, TRAINED_SIDE / components.vae.config.scale / patch)
        const rotary = uploadRotary(g, rotary2d(headDim, region, grid.rows, grid.columns), headDim)
        return {
          keeps: [text, rotary],
          network: {
            patch,
            guidance: guidanceScale,
            rescale: guidanceRescale,
            activations: (tokens, _first, block) =>
              Array(1 + skipsAcross(config.layers, block).length).fill({
                shape: [batch, tokens, config.width],
                dtype: 'f32',
              }),
            forward(g, { latents, activations, timestep }, execution) {
              const inputs = { latents, activations, timesteps: Array(batch).fill(timestep), text, rotary }
              return hunyuanDiTTransformer(g, config, weights, inputs, execution)
            },
            // Learned variances fall away.
            unpatchify: (g, patches, rows) =>
              unpatchify(g, patches, {
                patch,
                channels: inChannels,
                height: rows * patch,
                width: grid.columns * patch,
              }),
          },
        }
      },
    }
  },
}

const parts = (components: Components) => ({
  bert: networkOf(components, 'text_encoder', 'BertModel'),
  t5: networkOf(components, 'text_encoder_2', 'T5EncoderModel'),
  transformer: networkOf(components, 'transformer', 'HunyuanDiT2DModel'),
})
