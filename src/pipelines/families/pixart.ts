import { pixartConfig } from '../../models/pixart/config.ts'
import { PIXART_BINS } from '../binning.ts'
import { type Components, type Family, networkOf } from '../family.ts'
import { pixartWork } from '../mesh_plan/family_work/pixart.ts'
import { checkInteger } from '../options.ts'
import { encodeCaptions, pixartNetwork } from '../pixart_network.ts'
import { encodeWithT5, readTokens, trimPadding } from '../text.ts'

/**
 * PixArtSigmaPipeline and PixArtAlphaPipeline of diffusers.
 *
 * @param textLength the most text tokens that the class takes
 */
export const pixartFamily = (textLength: number): Family => ({
  networks: { text_encoder: 'T5EncoderModel', transformer: 'PixArtTransformer2DModel', vae: 'AutoencoderKL' },
  tokenizers: ['tokenizer'],
  defaults: { numInferenceSteps: 20, guidanceScale: 4.5 },
  guidedByScale: true,
  binning: PIXART_BINS,
  ownOptions: ['maxSequenceLength'],

  facts(json) {
    const { layers, heads, headDim, patch, sampleSize, inChannels, width } = pixartConfig(json)
    return { blocks: layers, heads, headDim, patch, sampleSize, channels: inChannels, widest: 4 * width }
  },

  work: (json) => pixartWork(pixartConfig(json)),

  guidance: ({ guidanceScale = 4.5 }) => ({ guided: guidanceScale > 1, scale: guidanceScale }),

  setTimesteps: (scheduler, { steps, eta }) => scheduler.setTimesteps(steps, { eta }),

  readTexts(components, texts, { maxSequenceLength, guidanceScale = 4.5 }) {
    const { tokenizer } = components.tokenizers
    const length = maxSequenceLength ?? Math.min(textLength, tokenizer.modelMaxLength)
    checkInteger('maxSequenceLength', length, 1, 4096)
    const all = readTokens(tokenizer, texts, 0, length, (text) => text.toLowerCase().trim())
    const tokens = trimPadding(all)
    const { textEncoder, transformer } = parts(components)
    return {
      warnings: all.warnings,
      specs: [{ shape: [tokens.batch, tokens.length, textEncoder.config.width], dtype: 'f32' }],
      encode: async (g) => [await encodeWithT5(g, textEncoder, tokens)],
      async network(g, { encoded: [captions], rows, blocks, size }) {
        const maskOf = (row: number) => [...tokens.mask.subarray(row * tokens.length, (row + 1) * tokens.length)]
        const mask = Array.from(rows).flatMap(maskOf)
        const text = await encodeCaptions(g, transformer, captions, mask, blocks)
        const channels = transformer.config.inChannels
        const width = size.width / components.vae.config.scale
        const network = pixartNetwork(transformer, {
          text,
          batch: rows.length,
          latents: { channels, width },
          size: { height: size.height, width: size.width },
          guidance: guidanceScale,
        })
        return { network, keeps: text }
      },
    }
  },
})

const parts = (components: Components) => ({
  textEncoder: networkOf(components, 'text_encoder', 'T5EncoderModel'),
  transformer: networkOf(components, 'transformer', 'PixArtTransformer2DModel'),
})
