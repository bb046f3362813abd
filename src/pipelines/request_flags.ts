import { type OptionSpec, type ParsedArgs, UsageError } from '../runtime/command_line/option.ts'
import { quote } from '../runtime/command_line/parse_args.ts'
import { RANDOM_MODELS } from './random_models/models.ts'
import type { TeamOptions } from './team/team.ts'

/** Flags that say what is drawn: xDiT's names where xDiT has the flag, diffusers' otherwise. */
export const REQUEST_FLAGS: readonly OptionSpec[] = [
  {
    name: 'model',
    type: 'text',
    value: 'FOLDER',
    help: "A diffusers folder (model_index.json and a folder for each component), its http(s) address, or a model of the Hugging Face hub, org/name or org/name@revision, fetched into the hub's cache. Default: the embedded model, models/emoji-pixart.",
  },
  {
    name: 'random_weights',
    type: 'flag',
    help: `The shapes of a published model and random weights made on the device, to measure without a download; its pictures show nothing. --model is then one of ${Object.keys(RANDOM_MODELS).join(', ')}.`,
  },
  { name: 'prompt', type: 'texts', value: 'TEXT', help: 'What to draw; several texts draw several pictures.' },
  {
    name: 'negative_prompt',
    type: 'texts',
    value: 'TEXT',
    help: 'What to stay away from: one for all prompts, or one for each. Default: nothing in particular.',
  },
  {
    name: 'prompt_2',
    type: 'texts',
    value: 'TEXT',
    help: 'For the second text encoder of SD3 and FLUX. Default: the prompt.',
  },
  { name: 'prompt_3', type: 'texts', value: 'TEXT', help: 'For the third text encoder of SD3. Default: the prompt.' },
  { name: 'negative_prompt_2', type: 'texts', value: 'TEXT', help: 'Likewise. Default: the negative prompt.' },
  { name: 'negative_prompt_3', type: 'texts', value: 'TEXT', help: 'Likewise. Default: the negative prompt.' },
  { name: 'height', type: 'integer', help: "Pixels. Default: the model's native size." },
  { name: 'width', type: 'integer', help: "Pixels. Default: the model's native size." },
  {
    name: 'num_inference_steps',
    type: 'integer',
    help: 'Denoising steps: more are slower and finer. Default: as in diffusers, 20 for PixArt, 50 for HunyuanDiT, 28 for SD3 and FLUX.',
  },
  {
    name: 'guidance_scale',
    type: 'number',
    value: 'X',
    help: 'How closely to follow the prompt; up to 1 there is no guidance, and a step costs half (FLUX takes it as an input). Default: as in diffusers, 4.5 for PixArt, 5 for HunyuanDiT, 7 for SD3, 3.5 for FLUX.',
  },
  {
    name: 'guidance_rescale',
    type: 'number',
    value: 'X',
    help: 'HunyuanDiT: from 0 to 1, how far guided predictions keep the contrast of unguided ones. Default: 0.',
  },
  {
    name: 'true_cfg_scale',
    type: 'number',
    value: 'X',
    help: 'FLUX: above 1 guides away from the negative prompt, and a step costs twice as much. Default: 1.',
  },
  { name: 'clip_skip', type: 'integer', help: 'SD3: layers of CLIP left out beside its last. Default: 0.' },
  {
    name: 'skip_guidance_layers',
    type: 'texts',
    value: 'N',
    help: 'SD3.5: blocks without which it predicts once more, to be guided away from that in early steps; 7 8 9 for SD3.5-medium.',
  },
  { name: 'skip_layer_guidance_scale', type: 'number', value: 'X', help: 'How far. Default: 2.8.' },
  {
    name: 'skip_layer_guidance_start',
    type: 'number',
    value: 'X',
    help: 'From which share of the steps, 0 to 1. Default: 0.01.',
  },
  { name: 'skip_layer_guidance_stop', type: 'number', value: 'X', help: 'Until which share. Default: 0.2.' },
  {
    name: 'seed',
    type: 'integer',
    help: "Draws the same picture again, the one that torch's generator gives in diffusers. Default: at random; it is in the file's name.",
  },
  {
    name: 'generator',
    type: 'text',
    value: 'cpu|cuda',
    help: "Whose numbers a seed gives: torch's CPU generator, or its CUDA one as on an H100. Default: cpu.",
  },
  {
    name: 'eta',
    type: 'number',
    value: 'X',
    help: 'Fresh noise in each step of DDIM, from 0 to 1; the other schedulers take none. Default: 0.',
  },
  { name: 'num_images_per_prompt', type: 'integer', help: 'Pictures of each prompt. Default: 1.' },
  {
    name: 'max_sequence_length',
    type: 'integer',
    help: "Text tokens that are read of a prompt. Default: the pipeline's, or the tokenizer's if that is less.",
  },
  {
    name: 'output_type',
    type: 'text',
    value: 'pil|latent',
    help: "pil writes PNG files, latent the undecoded latents as .safetensors. Default: pil, diffusers' word for pictures.",
  },
  {
    name: 'no_use_resolution_binning',
    type: 'flag',
    help: 'Draw at exactly the given size. By default PixArt draws at the nearest size it was trained for and resizes; HunyuanDiT does not resize.',
  },
  {
    name: 'enable_tiling',
    type: 'flag',
    help: 'Decode large pictures a tile at a time: it takes the memory of a tile instead of that of the picture, and changes the picture a little.',
  },
  {
    name: 'use_fbcache',
    type: 'flag',
    help: 'First-Block-Cache: in steps where the first block adds about what it did, take what the others added then instead of running them. Faster; changes the picture a little.',
  },
  {
    name: 'fbcache_threshold',
    type: 'number',
    value: 'X',
    help: 'Up to which relative change, from 0 to 1. Default: 0.12.',
  },
  {
    name: 'use_teacache',
    type: 'flag',
    help: 'TeaCache: the same by the change of what the first block is given. FLUX, or with coefficients of your own.',
  },
  {
    name: 'rel_l1_thresh',
    type: 'number',
    value: 'X',
    help: 'What guessed changes may add up to before blocks run again, from 0 to 10. Default: 0.25.',
  },
  {
    name: 'teacache_coefficients',
    type: 'text',
    value: 'A,B,…',
    help: "The polynomial that guesses, the highest power first. Default: FLUX.1's.",
  },
  {
    name: 'enable_slicing',
    type: 'flag',
    help: 'Decode pictures one by one, which webdit always does.',
  },
  {
    name: 'variant',
    type: 'text',
    value: 'NAME',
    help: 'Which weight files to load, such as fp16. Default: the plain ones, or else the only ones there are.',
  },
]

/** What to draw and how, but for the prompt and the seed. @throws UsageError */
export function readCall(args: ParsedArgs) {
  const outputType = args.text('output_type') ?? 'pil'
  if (outputType !== 'pil' && outputType !== 'latent') {
    throw new UsageError(`--output_type is ${JSON.stringify(outputType)}, expected pil or latent`)
  }
  const generator = args.text('generator') ?? 'cpu'
  if (generator !== 'cpu' && generator !== 'cuda') {
    throw new UsageError(`--generator is ${quote(generator)}, expected cpu or cuda`)
  }
  const texts = (name: string) => {
    const given = args.texts(name)
    return given.length > 0 ? given : undefined
  }
  return {
    height: args.number('height'),
    width: args.number('width'),
    numInferenceSteps: args.number('num_inference_steps'),
    guidanceScale: args.number('guidance_scale'),
    prompt2: texts('prompt_2'),
    prompt3: texts('prompt_3'),
    negativePrompt: texts('negative_prompt'),
    negativePrompt2: texts('negative_prompt_2'),
    negativePrompt3: texts('negative_prompt_3'),
    guidanceRescale: args.number('guidance_rescale'),
    skipGuidanceLayers: texts('skip_guidance_layers')?.map(wholeNumber),
    skipLayerGuidanceScale: args.number('skip_layer_guidance_scale'),
    skipLayerGuidanceStart: args.number('skip_layer_guidance_start'),
    skipLayerGuidanceStop: args.number('skip_layer_guidance_stop'),
    trueCfgScale: args.number('true_cfg_scale'),
    clipSkip: args.number('clip_skip'),
    eta: args.number('eta'),
    numImagesPerPrompt: args.number('num_images_per_prompt'),
    maxSequenceLength: args.number('max_sequence_length'),
    generator,
    outputType,
    enableTiling: args.has('enable_tiling'),
    // Said or not: what is not given has no place in a record of the call.
    useFbcache: args.has('use_fbcache') || undefined,
    fbcacheThreshold: args.number('fbcache_threshold'),
    useTeacache: args.has('use_teacache') || undefined,
    relL1Thresh: args.number('rel_l1_thresh'),
    teacacheCoefficients: args.text('teacache_coefficients')?.split(',').map(coefficient),
    useResolutionBinning: args.has('no_use_resolution_binning') ? false : undefined,
  } satisfies TeamOptions
}

function coefficient(text: string): number {
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  throw new UsageError(`--teacache_coefficients has ${quote(text)}, expected numbers with commas between them`)
}

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new UsageError(`--skip_guidance_layers has ${quote(text)}, expected whole numbers: the blocks, counted from 0`)
}
