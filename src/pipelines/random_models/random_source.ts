import type { NetworkClass } from '../../models/component.ts'
import { DitError } from '../../runtime/errors.ts'
import { memorySource } from '../../runtime/weights/memory_source.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { paperSource } from '../memory_plan/paper_source.ts'
import { RANDOM_MODELS, type RandomModel } from './models.ts'
import { tokenizerFiles } from './tokenizers.ts'

/** How a random model is named where a model is named by a text. */
const PREFIX = 'random:'

/** `random:NAME`. */
export const randomModelName = (name: string): string => PREFIX + name

/** NAME of `random:NAME`. */
export const readRandomModelName = (model: string): string | undefined =>
  model.startsWith(PREFIX) ? model.slice(PREFIX.length) : undefined

/**
 * A model of a published one's shapes, whose weights are made at random on the device: for measuring what a picture takes
 * without a download. Its pictures show nothing.
 *
 * @throws DitError 'not-found' for other names
 */
export async function randomSource(name: string): Promise<Source> {
  if (!Object.hasOwn(RANDOM_MODELS, name)) {
    throw new DitError(
      'not-found',
      `there is no model ${JSON.stringify(name)} with random weights`,
      `Choose one of ${Object.keys(RANDOM_MODELS).join(', ')}.`,
    )
  }
  return randomSourceOf(RANDOM_MODELS[name], randomModelName(name))
}

/** The same for any shapes. */
export async function randomSourceOf(model: RandomModel, name: string): Promise<Source> {
  const { className, networks, tokenizers, scheduler } = model
  const files = new Map<string, Uint8Array>()
  const add = (path: string, json: unknown) => files.set(path, new TextEncoder().encode(JSON.stringify(json)))
  const classes: Record<string, NetworkClass> = {}
  for (const [folder, [network, config]] of Object.entries(networks)) {
    classes[folder] = network
    add(`${folder}/config.json`, { _class_name: network, ...config })
  }
  for (const [folder, kind] of Object.entries(tokenizers)) {
    const [json, config] = tokenizerFiles(kind)
    add(`${folder}/tokenizer.json`, json)
    add(`${folder}/tokenizer_config.json`, config)
  }
  add('scheduler/scheduler_config.json', scheduler)
  const components = [...Object.entries(classes), ...Object.keys(tokenizers).map((folder) => [folder, 'Tokenizer'])]
  add('model_index.json', {
    _class_name: className,
    ...Object.fromEntries(components.map(([folder, of]) => [folder, ['webdit', of]])),
  })
  const paper = await paperSource(memorySource(files, name), classes)
  return { ...paper, random: true }
}
