import { basename, resolve } from 'node:path'
import { DitImage } from '../../pipelines/image/image.ts'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import type { ModelFacts } from '../../pipelines/model_facts.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
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
      ...common(output, facts, settings),
      prompt: prompts[index],
      negative_prompt: negativeOf(settings, index),
      height: String(height),
      width: String(width),
      ...(settings.call.enableTiling && { enable_tiling: 'true' }),
      ...(output.images.length > 1 && { picture: `${i + 1} of ${output.images.length}` }),
    }
    const path = await freePath(outputDirectory, fileStem(prompts[index], seedOf(output)), 'png')
    await new DitImage(width, height, data, parameters).save(path)
    paths.push(path)
  }
  return paths
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
    height: String(shape[2] * scale),
    width: String(shape[3] * scale),
  }
  const bytes = writeSafetensors({ latents: { dtype: 'F32', shape, data: Float32Array.from(data) } }, parameters)
  const path = await freePath(outputDirectory, fileStem(prompts[0], seedOf(output)), 'safetensors')
  await writeWhole(path, bytes)
  return [path]
}

/** What all pictures of a run share, by the flags' names. Folders stay at home: pictures are shown to others. */
function common(output: PipelineOutput, facts: ModelFacts, { model, call, latentsFile }: Settings) {
  const { schedulerConfig } = facts
  const seed = seedOf(output)
  return {
    ...(latentsFile !== undefined && { latents: basename(latentsFile) }),
    ...(seed !== undefined && { seed: String(seed) }),
    ...(call.generator === 'cuda' && { generator: 'cuda' }),
    ...(call.eta !== undefined && { eta: String(call.eta) }),
    num_inference_steps: String(call.numInferenceSteps),
    guidance_scale: String(call.guidanceScale),
    model: basename(resolve(model)),
    pipeline: facts.className,
    scheduler: String((schedulerConfig as { _class_name?: unknown })._class_name),
    software: `webdit ${VERSION}`,
  }
}

/** One seed is given to all pictures. */
function seedOf({ seed }: PipelineOutput): number | undefined {
  return typeof seed === 'number' ? seed : seed?.[0]
}

function negativeOf({ call: { negativePrompt = '' } }: Settings, index: number): string {
  if (typeof negativePrompt === 'string') return negativePrompt
  return negativePrompt.length === 1 ? negativePrompt[0] : negativePrompt[index]
}
