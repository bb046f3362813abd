import { type PictureRequest, type SharedCall, TEXT_OPTIONS, type TextOption } from '../queue/job.ts'
import type { GenerateRequest } from './generate_request.ts'
import type { ImagesRequest } from './images_request.ts'

/** What both kinds of requests have. */
type Common = Omit<ImagesRequest & GenerateRequest, 'size' | 'height' | 'width' | 'seed' | 'guidance_scale' | 'cfg'>

/** What the routes name in their own ways. */
export interface Own {
  readonly seeds: readonly number[]
  readonly guidanceScale: number | undefined
  readonly width?: number
  readonly height?: number
}

/** A request's fields as the pipelines' options. */
export function pictureRequest(body: Partial<Common> & { prompt: string }, own: Own): PictureRequest {
  const texts: { prompt: string } & Partial<Record<TextOption, string>> = { prompt: body.prompt }
  for (const name of TEXT_OPTIONS) {
    const given = body[snakeCase(name) as keyof Common] as string | undefined
    if (given !== undefined) texts[name] = given
  }
  const call: SharedCall = {
    height: own.height,
    width: own.width,
    numInferenceSteps: body.num_inference_steps,
    guidanceScale: own.guidanceScale,
    guidanceRescale: body.guidance_rescale,
    trueCfgScale: body.true_cfg_scale,
    clipSkip: body.clip_skip,
    skipGuidanceLayers: body.skip_guidance_layers,
    skipLayerGuidanceScale: body.skip_layer_guidance_scale,
    skipLayerGuidanceStart: body.skip_layer_guidance_start,
    skipLayerGuidanceStop: body.skip_layer_guidance_stop,
    maxSequenceLength: body.max_sequence_length,
    useResolutionBinning: body.use_resolution_binning,
  }
  return { texts, seeds: own.seeds, call }
}

/** As fields are written: negativePrompt2 → negative_prompt_2. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]|\d+$/g, (part) => `_${part.toLowerCase()}`)

/** Options that errors may name. */
export const OPTION_NAMES = [
  ...TEXT_OPTIONS,
  'numInferenceSteps',
  'guidanceScale',
  'guidanceRescale',
  'trueCfgScale',
  'clipSkip',
  'skipGuidanceLayers',
  'skipLayerGuidanceScale',
  'skipLayerGuidanceStart',
  'skipLayerGuidanceStop',
  'maxSequenceLength',
  'useResolutionBinning',
] as const satisfies (TextOption | keyof SharedCall)[]
