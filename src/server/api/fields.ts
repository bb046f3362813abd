import { z } from 'zod'
import type { Limits } from '../limits.ts'

// Every check's message ends the sentence "FIELD is VALUE, expected …".

export const text = (what = 'a text') => z.string(what)
export const wholeNumber = (least: number, most: number) => {
  const what = `a whole number from ${least} to ${most}`
  return z.int(what).min(least, what).max(most, what)
}
export const number = (least: number, most: number) => {
  const what = `a number from ${least} to ${most}`
  return z.number(what).min(least, what).max(most, what)
}
export const flag = () => z.boolean('true or false')
export const oneOf = <const T extends readonly string[]>(...words: T) => z.enum(words, words.join(' or '))

/** Clients send null for what they leave out. */
export const optional = <T extends z.ZodType>(type: T, about: string) =>
  type
    .nullish()
    .transform((value) => value ?? undefined)
    .meta({ description: about })

export const prompt = text().min(1, 'a text that says what to draw').meta({ description: 'What to draw.' })

/** What all routes that draw take beside their own names, as diffusers calls it. */
export const drawingFields = (limits: Limits) => ({
  negative_prompt: optional(text(), 'What to stay away from.'),
  prompt_2: optional(text(), 'For the second text encoder of SD3 and FLUX. Default: the prompt.'),
  prompt_3: optional(text(), 'For the third text encoder of SD3. Default: the prompt.'),
  negative_prompt_2: optional(text(), 'Likewise. Default: the negative prompt.'),
  negative_prompt_3: optional(text(), 'Likewise. Default: the negative prompt.'),
  num_inference_steps: optional(wholeNumber(1, limits.steps), "Denoising steps. Default: the pipeline's."),
  guidance_rescale: optional(
    number(0, 1),
    'HunyuanDiT: how far guided predictions keep the contrast of unguided ones.',
  ),
  true_cfg_scale: optional(number(0, 1000), 'FLUX: above 1 guides away from the negative prompt.'),
  clip_skip: optional(wholeNumber(0, 100), 'SD3: layers of CLIP left out beside its last.'),
  skip_guidance_layers: optional(
    z.array(wholeNumber(0, 1000), 'a list of whole numbers').max(100, 'a list of at most 100 numbers'),
    'SD3.5: blocks without which it predicts once more, to be guided away from that.',
  ),
  skip_layer_guidance_scale: optional(number(0, 1000), 'How far. Default: 2.8.'),
  skip_layer_guidance_start: optional(number(0, 1), 'From which share of the steps. Default: 0.01.'),
  skip_layer_guidance_stop: optional(number(0, 1), 'Until which share. Default: 0.2.'),
  max_sequence_length: optional(wholeNumber(1, 4096), 'Text tokens that are read of a prompt.'),
  use_resolution_binning: optional(flag(), 'Draw at the nearest size that the model was trained for, and resize.'),
  deadline: optional(
    number(0.001, limits.deadline),
    `Seconds after which the answer is no longer wanted. Default: ${limits.deadline}.`,
  ),
})

/** A seed that torch takes and JSON holds. */
export const seed = (about: string) => optional(wholeNumber(0, Number.MAX_SAFE_INTEGER), about)
export const guidanceScale = (about = "How closely to follow the prompt. Default: the pipeline's.") =>
  optional(number(0, 1000), about)
