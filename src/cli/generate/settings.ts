import { readFormats } from '../../pipelines/component_formats.ts'
import { checkLoras, type PlainLora, readLora } from '../../pipelines/loras/lora_options.ts'
import { TEXT_ENCODERS } from '../../pipelines/network_files.ts'
import { OFFLOAD_CHOICE, OFFLOAD_MODES, type OffloadMode } from '../../pipelines/offload.ts'
import { randomModelName } from '../../pipelines/random_models/random_source.ts'
import { readCall } from '../../pipelines/request_flags.ts'
import type { OnDeviceLoss } from '../../pipelines/resume/resumed.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import { DitError } from '../../runtime/errors.ts'
import { type ParsedArgs, UsageError } from '../command.ts'
import { embeddedModel } from '../package_info.ts'

/** What `generate` was asked for. */
export interface Settings {
  model: string
  prompts: string[]
  outputDirectory: string
  outputType: 'pil' | 'latent'
  latentsFile: string | undefined
  /** Of the pictures to start from. */
  imageFiles: string[]
  variant: string | undefined
  /** A file of the transformer's weights, and those of text encoders by their folders. */
  transformer: string | undefined
  textEncoders: Readonly<Record<string, string>> | undefined
  offload: OffloadMode
  onDeviceLoss: OnDeviceLoss
  /** In what format linear weights are kept. */
  weights: string | undefined
  /** Adapters; undefined where there are none. */
  loras: readonly PlainLora[] | undefined
  /** As the pipeline takes them; latents and images come from their files later. */
  call: Omit<TeamOptions, 'onStep'>
}

/** @throws UsageError for what can be told from the command line alone */
export function readSettings(args: ParsedArgs, prompts = args.texts('prompt')): Settings {
  if (prompts.length === 0) {
    throw new UsageError('a prompt is needed: what to draw', 'For example: webdit generate --prompt "red apple"')
  }
  const latentsFile = args.text('latents')
  const call = readCall(args)
  return {
    model: readModel(args),
    prompts,
    outputDirectory: args.text('output_directory') ?? 'outputs',
    outputType: call.outputType,
    latentsFile,
    imageFiles: args.texts('image'),
    variant: args.text('variant'),
    transformer: args.text('transformer'),
    textEncoders: readTextEncoders(args),
    offload: readOffload(args),
    onDeviceLoss: readOnDeviceLoss(args),
    weights: readWeights(args),
    loras: readLoras(args),
    call: { ...call, seed: args.number('seed') },
  }
}

/** Files of the weights of text encoders, by their folders. */
export function readTextEncoders(args: ParsedArgs): Readonly<Record<string, string>> | undefined {
  const given = TEXT_ENCODERS.filter((folder) => args.has(folder))
  return given.length === 0 ? undefined : Object.fromEntries(given.map((folder) => [folder, args.text(folder)!]))
}

/** What is offloaded. @throws UsageError for a word that says nothing of that */
export function readOffload(args: ParsedArgs): OffloadMode {
  const given = args.text('offload') ?? 'none'
  const mode = OFFLOAD_MODES.find((one) => one === given)
  if (mode) return mode
  throw new UsageError(`--offload is ${JSON.stringify(given)}, expected ${OFFLOAD_CHOICE}`)
}

/** Whether pictures go on where a device was lost. @throws UsageError for another word */
export function readOnDeviceLoss(args: ParsedArgs): OnDeviceLoss {
  const given = args.text('on_device_loss') ?? 'resume'
  if (given === 'resume' || given === 'fail') return given
  throw new UsageError(`--on_device_loss is ${JSON.stringify(given)}, expected resume or fail`)
}

/** In what format linear weights are kept. @throws UsageError for one that there is not */
export function readWeights(args: ParsedArgs): string | undefined {
  const given = args.text('weights')
  try {
    readFormats(given)
  } catch (error) {
    if (error instanceof DitError) throw new UsageError(`--weights: ${error.message}`, error.hint)
    throw error
  }
  return given
}

/** Adapters and their weights. @throws UsageError for what is no file or no weight */
export function readLoras(args: ParsedArgs): readonly PlainLora[] | undefined {
  if (!args.has('lora')) return undefined
  try {
    return checkLoras(args.texts('lora').map(readLora)) as PlainLora[]
  } catch (error) {
    if (error instanceof DitError) throw new UsageError(`--lora: ${error.message}`, error.hint)
    throw error
  }
}

/** The folder of the model. @throws UsageError where none is given and none is installed */
export function readModel(args: ParsedArgs): string {
  const model = args.text('model') ?? embeddedModel()
  if (model !== undefined) return args.has('random_weights') ? randomModelName(model) : model
  throw new UsageError(
    'a model is needed: --model FOLDER',
    'Give a diffusers folder, or install the small one: npm install @webdit/emoji-pixart',
  )
}
