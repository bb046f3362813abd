import { type NetworkClass, readJson } from '../models/component.ts'
import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import { describePath, type Source } from '../runtime/weights/source.ts'
import { FAMILIES } from './families/index.ts'
import type { Family } from './family.ts'

/** The pipeline of a diffusers folder. */
export interface PipelineClass {
  /** The class that model_index.json names. */
  readonly className: string
  readonly family: Family
  /** Networks that the checkpoint has, by their folders. */
  readonly networks: Readonly<Record<string, NetworkClass>>
  /** Folders of the tokenizers that it has. */
  readonly tokenizers: readonly string[]
}

/** The pipeline that model_index.json names. @throws DitError 'not-found', 'unsupported' */
export async function pipelineClass(source: Source): Promise<PipelineClass> {
  const index = await readJson(source, 'model_index.json').catch((error) => {
    if (!(error instanceof DitError && error.kind === 'not-found')) throw error
    throw new DitError(
      'not-found',
      error.message,
      'Give a diffusers folder: one that holds model_index.json and a folder for each component.',
      { cause: error },
    )
  })
  const { _class_name: className } = index
  if (typeof className !== 'string' || !Object.hasOwn(FAMILIES, className)) {
    throw new DitError(
      'unsupported',
      `${describePath(source, 'model_index.json')} names the pipeline class ${show(className)}; webdit has ${Object.keys(FAMILIES).join(', ')}`,
    )
  }
  const family = FAMILIES[className]
  /** diffusers writes [null, null] for a component that was left out. */
  const left = (folder: string) => {
    const entry = index[folder]
    return (family.optional ?? []).includes(folder) && (!Array.isArray(entry) || entry.every((part) => part === null))
  }
  return {
    className,
    family,
    networks: Object.fromEntries(Object.entries(family.networks).filter(([folder]) => !left(folder))),
    tokenizers: family.tokenizers.filter((folder) => !left(folder)),
  }
}
