import { basename, resolve } from 'node:path'
import { DitImage } from '../../pipelines/image/image.ts'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import { strengthOf, withImageDefaults } from '../../pipelines/input_images.ts'
import type { ModelFacts } from '../../pipelines/model_facts.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { stepCacheOf } from '../../pipelines/step_cache.ts'
import { writeSafetensors } from '../../runtime/weights/safetensors.ts'
import { VERSION } from '../package_info.ts'
import { fileStem, freePath } from './output_files.ts'
import type { Settings } from './settings.ts'

/** A PNG for each picture, with its parameters in text chunks. Returns the paths. */
export async function writePictures(output: PipelineOutput, facts: ModelFacts, settings: Settings): Promise<string[]> {
  const { prompts, outputDirectory } = settings
  const perPrompt = output.images.length / prompts.length
  const paths: string[] = []
  for (const [i, { width, height, data }] of output.images.entries()) {
    const index = Math.floor(i / perPrompt)
    const parameters = {
      ...pictureParameters(output, facts, settings, { index, height, width }),
      ...(output.images.length > 1 && { picture: `${i + 1} of ${output.images.length}` }),
    }
    const path = await freePath(outputDirectory, fileStem(prompts[index], seedOf(output)), 'png')
    await new DitImage(width, height, data, parameters).save(path)
    paths.push(path)
  }
  return paths
}

/** What drew a picture of the prompt with that index, by the flags' names. */
export function pictureParameters(
  output: Pick<PipelineOutput, 'seed'>,
  facts: ModelFacts,
  settings: Settings,
  { index, height, width }: { index: number; height: number; width: number },
): Record<string, string> {
  return {
    ...common(output, facts, settings),
    prompt: settings.prompts[index],
    negative_prompt: negativeOf(settings, index),
    ...otherTexts(settings, index),
    height: String(height),
    width: String(width),
    ...(settings.call.enableTiling && { enable_tiling: 'true' }),
  }
}

/** All latents in one safetensors file, `latents` [pictures, channels, height, width]; the parameters are its metadata. */
export async function writeLatents(output: PipelineOutput, facts: ModelFacts, settings: Settings): Promise<string[]> {
  const { prompts, outputDirectory } = settings
  const { data, shape } = output.latents
  const { scale } = facts
  const parameters = {
    ...common(output, facts, settings),
    prompt: JSON.stringify(prompts),
    negative_prompt: JSON.stringify(prompts.map((_, i) => negativeOf(settings, i))),
    ...otherTexts(settings),
    height: String(shape[2] * scale),
    width: String(shape[3] * scale),
  }
  const bytes = writeSafetensors({ latents: { dtype: 'F32', shape, data: Float32Array.from(data) } }, parameters)
  const path = await freePath(outputDirectory, fileStem(prompts[0], seedOf(output)), 'safetensors')
  await writeWhole(path, bytes)
  return [path]
}

/** What all pictures of a run share, by the flags' names. Folders stay at home: pictures are shown to others. */
function common(
  output: Pick<PipelineOutput, 'seed'>,
  facts: ModelFacts,
  { model, latentsFile, weights, loras, call: asked }: Settings,
) {
  const { schedulerConfig } = facts
  const call = withImageDefaults(facts.family, asked)
  const seed = seedOf(output)
  const strength = strengthOf(call)
  return {
    ...(latentsFile !== undefined && { latents: basename(latentsFile) }),
    ...(seed !== undefined && { seed: String(seed) }),
    ...(call.generator === 'cuda' && { generator: 'cuda' }),
    ...(call.eta !== undefined && { eta: String(call.eta) }),
    ...(call.trueCfgScale !== undefined && { true_cfg_scale: String(call.trueCfgScale) }),
    ...(call.clipSkip !== undefined && { clip_skip: String(call.clipSkip) }),
    ...(strength !== undefined && { strength: String(strength) }),
    ...cacheParameters(facts, call),
    num_inference_steps: String(call.numInferenceSteps ?? facts.family.defaults.numInferenceSteps),
    guidance_scale: String(call.guidanceScale ?? facts.family.defaults.guidanceScale),
    model: basename(resolve(model)),
    ...(weights !== undefined && { weights }),
    ...(loras && { lora: loras.map(({ file, weight }) => `${basename(file)}:${weight}`).join(' ') }),
    pipeline: facts.className,
    scheduler: String((schedulerConfig as { _class_name?: unknown })._class_name),
    software: `webdit ${VERSION}`,
  }
}

/** The step cache, by its flags: without it the picture would be another one. */
function cacheParameters({ className, family }: ModelFacts, call: Settings['call']): Record<string, string> {
  const cache = stepCacheOf(className, family, call)
  if (!cache) return {}
  if (cache.kind === 'fbcache') return { use_fbcache: 'true', fbcache_threshold: String(cache.threshold) }
  const coefficients = call.teacacheCoefficients && { teacache_coefficients: call.teacacheCoefficients.join() }
  return { use_teacache: 'true', rel_l1_thresh: String(cache.threshold), ...coefficients }
}

/** What further text encoders were given and what was started from, where that was said: of one picture, or of all as JSON. */
function otherTexts({ call, imageFiles }: Settings, index?: number): Record<string, string> {
  const { prompt2, prompt3, negativePrompt2, negativePrompt3 } = call
  const given = {
    prompt_2: prompt2,
    prompt_3: prompt3,
    negative_prompt_2: negativePrompt2,
    negative_prompt_3: negativePrompt3,
    image: imageFiles.length > 0 ? imageFiles.map((file) => basename(file)) : undefined,
  }
  const of = (texts: string | string[]) => (index === undefined ? JSON.stringify(texts) : textOf(texts, index))
  return Object.fromEntries(Object.entries(given).flatMap(([name, texts]) => (texts ? [[name, of(texts)]] : [])))
}

/** One seed is given to all pictures. */
function seedOf({ seed }: Pick<PipelineOutput, 'seed'>): number | undefined {
  return typeof seed === 'number' ? seed : seed?.[0]
}

const negativeOf = ({ call: { negativePrompt = '' } }: Settings, index: number): string => textOf(negativePrompt, index)

const textOf = (texts: string | string[], index: number): string =>
  typeof texts === 'string' ? texts : texts.length === 1 ? texts[0] : texts[index]
