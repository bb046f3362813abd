import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'

/** What peft's LoraConfig says of an adapter (peft 0.21, tuners/lora/config.py): how strong each of its layers is. */
export interface PeftConfig {
  /**
   * What the product of a layer's matrices is multiplied by.
   *
   * @param layer by the name of diffusers
   * @param rank that its matrices have
   * @throws DitError 'corrupt' where the config says another rank
   */
  scale(layer: string, rank: number): number
}

/** Where diffusers keeps it in a file (diffusers, loaders/lora_base.py). */
const METADATA = 'lora_adapter_metadata'

/**
 * The configs that a file's metadata has, by the folder of their network; '' where it says of none.
 *
 * @param where the file, for people
 * @throws DitError 'corrupt', 'unsupported'
 */
export function metadataConfigs(metadata: Readonly<Record<string, string>>, where: string): Map<string, PeftConfig> {
  if (!Object.hasOwn(metadata, METADATA)) return new Map()
  const all = record(parseJson(metadata[METADATA], `${METADATA} of ${where}`), `${METADATA} of ${where}`)
  const folders = new Map<string, Record<string, unknown>>()
  for (const [name, value] of Object.entries(all)) {
    const [, folder = '', key] = /^(?:([^.]*)\.)?(.*)$/s.exec(name) ?? []
    folders.set(folder, { ...folders.get(folder), [key]: value })
  }
  return new Map([...folders].map(([folder, json]) => [folder, peftConfig(json, `${METADATA} of ${where}`)]))
}

/** @throws DitError 'corrupt', 'unsupported' for methods beside LoRA */
export function peftConfig(json: unknown, where: string): PeftConfig {
  const given = record(json, where)
  const { peft_type: type = 'LORA', use_rslora: rootScaled, use_dora: dora, lora_bias: bias } = given
  if (type !== 'LORA' || dora || bias) {
    const method = dora ? 'DoRA' : bias ? 'LoRA with biases' : show(type)
    throw new DitError('unsupported', `${where} says that the adapter is ${method}; webdit merges plain LoRA`)
  }
  const r = number(given, 'r', where)
  const alpha = number(given, 'lora_alpha', where)
  const ranks = pattern(given.rank_pattern, 'rank_pattern', where)
  const alphas = pattern(given.alpha_pattern, 'alpha_pattern', where)
  return {
    scale(layer, rank) {
      const said = ranks(layer) ?? r
      if (said !== rank) {
        throw new DitError(
          'corrupt',
          `the matrices of ${layer} have rank ${rank}, and ${where} says ${said}`,
          'The file and its config are of different adapters.',
        )
      }
      return (alphas(layer) ?? alpha) / (rootScaled ? Math.sqrt(rank) : rank)
    },
  }
}

/** Numbers for layers whose names end so, or are so behind ^: peft's regular expressions are names in the files that it writes. */
function pattern(json: unknown, name: string, where: string): (layer: string) => number | undefined {
  const entries = Object.keys(record(json ?? {}, `${name} of ${where}`)).map(
    (key) => [key, number(json as Record<string, unknown>, key, `${name} of ${where}`)] as const,
  )
  return (layer) => entries.find(([key]) => `^${layer}` === key || `.${layer}`.endsWith(`.${key}`))?.[1]
}

function record(json: unknown, where: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  throw new DitError('corrupt', `${where} is ${show(json)}, expected a JSON object`)
}

function number(json: Readonly<Record<string, unknown>>, key: string, where: string): number {
  const value = json[key]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new DitError('corrupt', `${where} has ${key} ${show(value)}, expected a number`)
}
