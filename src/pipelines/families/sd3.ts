import { clipTextEncoder, clipTextProjection, hiddenOfSkip } from '../../models/clip/encoder.ts'
import type { Component } from '../../models/component.ts'
import { sd3Config } from '../../models/sd3/config.ts'
import { encodeText, sd3Transformer } from '../../models/sd3/transformer.ts'
import { join, unpatchify } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { calculateShift } from '../../schedulers/dynamic_shift.ts'
import { type Components, type Family, networkOf } from '../family.ts'
import { sd3Work } from '../mesh_plan/family_work/sd3.ts'
import { checkInteger } from '../options.ts'
import type { Text } from '../picture_texts.ts'
import { checkTokens, encodeWithT5, readTokens, type TokenBatch } from '../text.ts'
import { jointNetwork } from './joint_network.ts'
import { shiftRange } from './shift_range.ts'
import { awayFrom, checkSkipLayersDivided, entriesFrom, skipLayerGuidance } from './skip_layer_guidance.ts'

type Clip = Component<'CLIPTextModelWithProjection'>

/** Where calculate_shift ends unless the scheduler's config says so; FLUX has 1.15. */
const MAX_SHIFT = 1.16

const SCALE = 7
const STEPS = 28

/** StableDiffusion3Pipeline of diffusers: SD3 and 3.5. Without its third encoder, zeros stand for T5's states. */
export const sd3Family: Family = {
  networks: {
    text_encoder: 'CLIPTextModelWithProjection',
    text_encoder_2: 'CLIPTextModelWithProjection',
    text_encoder_3: 'T5EncoderModel',
    transformer: 'SD3Transformer2DModel',
    vae: 'AutoencoderKL',
  },
  optional: ['text_encoder_3', 'tokenizer_3'],
  tokenizers: ['tokenizer', 'tokenizer_2', 'tokenizer_3'],
  defaults: { numInferenceSteps: STEPS, guidanceScale: SCALE },
  imageDefaults: { numInferenceSteps: 50, guidanceScale: SCALE },
  guidedByScale: true,
  ownOptions: [
    'prompt2',
    'prompt3',
    'negativePrompt2',
    'negativePrompt3',
    'clipSkip',
    'maxSequenceLength',
    'skipGuidanceLayers',
    'skipLayerGuidanceScale',
    'skipLayerGuidanceStart',
    'skipLayerGuidanceStop',
    'image',
    'strength',
  ],

  facts(json) {
    const { layers, heads, headDim, patch, inChannels, width } = sd3Config(json)
    const { sample_size: sampleSize = 128 } = json as { sample_size?: number }
    checkInteger('sample_size', sampleSize, 1, 65_536)
    return { blocks: layers, heads, headDim, patch, sampleSize, channels: inChannels, widest: 4 * width }
  },

  work: (json, { options: { maxSequenceLength = 256 }, modelMaxLengths: { tokenizer } }) =>
    sd3Work(sd3Config(json), tokenizer + maxSequenceLength),

  guidance: ({ guidanceScale = SCALE }) => ({ guided: guidanceScale > 1, scale: guidanceScale }),

  setTimesteps(scheduler, { steps, eta, tokens, config }) {
    const { use_dynamic_shifting: dynamic } = config as { use_dynamic_shifting?: unknown }
    const mu = dynamic ? calculateShift(tokens, shiftRange(config, MAX_SHIFT)) : undefined
    scheduler.setTimesteps(steps, { eta, mu })
  },

  checkDivided: checkSkipLayersDivided,

  readTexts(components, texts, options) {
    const { maxSequenceLength = 256, clipSkip = 0, guidanceScale = SCALE, numInferenceSteps = STEPS } = options
    const { tokenizer, tokenizer_2, tokenizer_3 } = components.tokenizers
    const { clips, t5, transformer } = parts(components)
    checkInteger('maxSequenceLength', maxSequenceLength, 1, 512)
    const length = tokenizer.modelMaxLength
    const tokens = [readTokens(tokenizer, texts, 0, length), readTokens(tokenizer_2, texts, 1, length)]
    const tokens3 = t5 && readTokens(tokenizer_3, texts, 2, maxSequenceLength)
    const skip = skipLayerGuidance(options, transformer.config.layers, numInferenceSteps)
    const { captionChannels, patch, outChannels, width } = transformer.config
    const textTokens = tokens[0].length + maxSequenceLength
    const pooledWidth = clips[0].config.projection + clips[1].config.projection
    const hidden = clips[0].config.width + clips[1].config.width
    return {
      warnings: [...tokens, ...(tokens3 ? [tokens3] : [])].flatMap(({ warnings }) => warnings),
      specs: [
        { shape: [texts.length, textTokens, captionChannels], dtype: 'f32' },
        { shape: [texts.length, pooledWidth], dtype: 'f32' },
      ],
      async encode(g) {
        const states = []
        for (const [i, clip] of clips.entries()) states.push(await encodeWithClip(g, clip, tokens[i], texts, clipSkip))
        const zeros = (shape: number[]) => g.upload(new Float32Array(shape.reduce((a, b) => a * b)), shape, 'zeros')
        const padding = captionChannels - hidden
        const parts = states.map((state) => state.hidden)
        if (padding > 0) parts.push(zeros([texts.length, tokens[0].length, padding]))
        const long =
          tokens3 && t5
            ? await encodeWithT5(g, t5, tokens3, false)
            : zeros([texts.length, maxSequenceLength, captionChannels])
        const pooled = states.map((state) => state.pooled)
        return [join(g, [join(g, parts, 2), long], 1), join(g, pooled, 1)]
      },
      async network(g, { encoded: [captions, pooled], rows, blocks, size }) {
        const latentWidth = size.width / components.vae.config.scale
        // Only those with the prompt are guided so.
        const first = Array.from(rows).filter((row) => texts[row].negative).length
        const skips = first < rows.length && guidanceScale > 1 ? skip : undefined
        const text = blocks.head ? encodeText(g, transformer.weights, captions) : undefined
        const network = jointNetwork({
          patch,
          guidance: guidanceScale,
          batch: rows.length,
          width,
          textTokens,
          text,
          longerSteps: skips?.steps,
          async run(g, inputs, execution) {
            const { config, weights } = transformer
            const states = await sd3Transformer(g, config, weights, { ...inputs, pooled }, execution)
            if (!skips?.steps.includes(inputs.step)) return states
            const prompted = {
              ...inputs,
              textHidden: entriesFrom(g, inputs.textHidden!, first),
              timesteps: inputs.timesteps.slice(first),
              pooled: entriesFrom(g, pooled, first),
              skipLayers: skips.layers,
            }
            const { image } = await sd3Transformer(g, config, weights, prompted, execution)
            return { image: awayFrom(g, states.image, image, { first, scale: skips.scale, guidance: guidanceScale }) }
          },
          unpatchify: (g, patches, rows) =>
            unpatchify(g, patches, { patch, channels: outChannels, height: rows * patch, width: latentWidth }),
        })
        return { network, keeps: [text, pooled] }
      },
    }
  },
}

const parts = (components: Components) => ({
  clips: [
    networkOf(components, 'text_encoder', 'CLIPTextModelWithProjection'),
    networkOf(components, 'text_encoder_2', 'CLIPTextModelWithProjection'),
  ],
  t5: components.networks.text_encoder_3 && networkOf(components, 'text_encoder_3', 'T5EncoderModel'),
  transformer: networkOf(components, 'transformer', 'SD3Transformer2DModel'),
})

/** Hidden states and text_embeds of every text. diffusers leaves out `clipSkip` layers for prompts alone. */
async function encodeWithClip(
  g: Recorder,
  clip: Clip,
  tokens: TokenBatch,
  texts: readonly Text[],
  clipSkip: number,
): Promise<{ hidden: Tensor; pooled: Tensor }> {
  checkTokens(tokens, clip.config.vocabulary)
  checkInteger('clipSkip', clipSkip, 0, clip.config.layers - 1)
  // Negative texts come first.
  const negatives = clipSkip === 0 ? 0 : texts.filter(({ negative }) => negative).length
  const groups = [
    { first: 0, end: negatives, skip: 0 },
    { first: negatives, end: texts.length, skip: clipSkip },
  ].filter(({ first, end }) => end > first)
  const states: { hidden: Tensor; pooled: Tensor }[] = []
  for (const { first, end, skip } of groups) {
    const ids = tokens.ids.subarray(first * tokens.length, end * tokens.length)
    const { hidden, pooled } = await clipTextEncoder(g, clip.config, clip.weights, ids, end - first, hiddenOfSkip(skip))
    states.push({ hidden, pooled: clipTextProjection(g, clip.weights, pooled) })
  }
  const joined = (part: 'hidden' | 'pooled') =>
    join(
      g,
      states.map((state) => state[part]),
      0,
    )
  return { hidden: joined('hidden'), pooled: joined('pooled') }
}
