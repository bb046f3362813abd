import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { listed } from '../../runtime/weights/match_names.ts'
import {
  readSafetensorsHeader,
  readTensor,
  type SafetensorsFile,
  type TensorEntry,
} from '../../runtime/weights/safetensors.ts'
import { describePath, joinPath, type SourceFile } from '../../runtime/weights/source.ts'
import { loraKey, otherMethod } from './keys.ts'
import { metadataConfigs, type PeftConfig, peftConfig } from './peft_config.ts'

/** The matrices of one layer, as stored. */
export interface LoraPair {
  /** [rank, …], and [rows, rank]. */
  readonly down: TensorEntry
  readonly up: TensorEntry
  /** Where the file says it. */
  readonly alpha: number | undefined
}

/** A LoRA file, opened: what it holds is known, and nothing of its matrices is read. */
export interface LoraFile {
  /** For people. */
  readonly where: string
  /** By the names that the file has for layers. */
  readonly pairs: ReadonlyMap<string, LoraPair>
  /** What peft says of its strength, by the folder of a network, or of all ('') . */
  readonly configs: ReadonlyMap<string, PeftConfig>
  /** A matrix, on the host. */
  read(entry: TensorEntry): Promise<Float32Array<ArrayBuffer>>
}

/** Alphas that are read at once. */
const AT_ONCE = 16

/**
 * Reads the header of a LoRA file in any of the styles that diffusers reads, and the alphas of its layers.
 *
 * @throws DitError 'corrupt' where it is no safetensors file, or a layer lacks a matrix; 'unsupported' for other methods
 */
export async function openLoraFile({ source, path }: SourceFile): Promise<LoraFile> {
  const where = describePath(source, path)
  const file = await readSafetensorsHeader(source, path)
  const found = new Map<string, { down?: TensorEntry; up?: TensorEntry; alpha?: TensorEntry }>()
  const strange: string[] = []
  for (const [name, entry] of file.tensors) {
    const method = otherMethod(name)
    if (method) throw unsupported(where, file, method)
    const key = loraKey(name)
    if (!key) strange.push(name)
    else found.set(key.layer, { ...found.get(key.layer), [key.part]: entry })
  }
  checkAll(where, found, strange)
  const alphas = await readAlphas({ source, path }, file, found)
  const pairs = new Map<string, LoraPair>()
  for (const [layer, { down, up }] of found) pairs.set(layer, { down: down!, up: up!, alpha: alphas.get(layer) })
  return {
    where,
    pairs,
    configs: await configsOf({ source, path }, file, where),
    read: async ({ name }) => (await readTensor(source, file, name)).data as Float32Array<ArrayBuffer>,
  }
}

type Found = ReadonlyMap<string, { down?: TensorEntry; up?: TensorEntry; alpha?: TensorEntry }>

function checkAll(where: string, found: Found, strange: readonly string[]): void {
  const layers = [...found]
  const named = (has: (of: { down?: unknown; up?: unknown; alpha?: unknown }) => boolean) =>
    layers.filter(([, of]) => has(of)).map(([layer]) => layer)
  const whole = named(({ down, up }) => Boolean(down && up))
  if (whole.length === 0) {
    throw new DitError(
      'bad-argument',
      `${where} holds no LoRA: ${listed('its tensors', [...strange, ...named(() => true)]) || 'it has no tensors'}`,
      'Give a file whose keys end in .lora_A.weight and .lora_B.weight, or .lora_down.weight and .lora_up.weight.',
    )
  }
  const alphas = named(({ alpha }) => alpha !== undefined)
  const faults = [
    listed(
      'without a down (lora_A) matrix',
      named(({ down, up }) => Boolean(up && !down)),
    ),
    listed(
      'without an up (lora_B) matrix',
      named(({ down, up }) => Boolean(down && !up)),
    ),
    listed(
      'an alpha without matrices',
      named(({ down, up, alpha }) => Boolean(alpha && !down && !up)),
    ),
    listed('without an alpha, which others have', alphas.length > 0 ? named(({ alpha }) => alpha === undefined) : []),
    listed('tensors that are nothing of a LoRA', strange),
    listed(
      'neither F32, F16 nor BF16',
      named((of) => Object.values(of).some((one) => !/^(F32|F16|BF16)$/.test((one as TensorEntry).dtype))),
    ),
    listed(
      'of two ranks',
      named(({ down, up }) => Boolean(down && up && rankOf(down as TensorEntry) !== (up as TensorEntry).shape[1])),
    ),
  ].filter(Boolean)
  if (faults.length === 0) return
  throw new DitError('corrupt', `${where} is no whole LoRA: ${faults.join('; ')}`, 'Fetch the file again.')
}

const rankOf = ({ shape }: TensorEntry): number | undefined =>
  shape.length >= 2 && shape[0] > 0 ? shape[0] : undefined

/** One number each. */
async function readAlphas(
  { source, path }: SourceFile,
  file: SafetensorsFile,
  found: Found,
): Promise<ReadonlyMap<string, number>> {
  const alphas = new Map<string, number>()
  const entries = [...found].flatMap(([layer, { alpha }]) => (alpha ? [[layer, alpha] as const] : []))
  for (let first = 0; first < entries.length; first += AT_ONCE) {
    await Promise.all(
      entries.slice(first, first + AT_ONCE).map(async ([layer, { name }]) => {
        const { data, shape } = await readTensor(source, file, name)
        const alpha = Number(data[0])
        if (data.length !== 1 || !Number.isFinite(alpha)) {
          const what = data.length === 1 ? `is ${alpha}` : `has shape ${show(shape)}`
          throw new DitError('corrupt', `${name} of ${describePath(source, path)} ${what}, expected one number`)
        }
        alphas.set(layer, alpha)
      }),
    )
  }
  return alphas
}

/** What peft says of it: in its metadata, as diffusers writes it, or in the file that peft writes beside its own. */
async function configsOf(
  { source, path }: SourceFile,
  { metadata }: SafetensorsFile,
  where: string,
): Promise<ReadonlyMap<string, PeftConfig>> {
  const [folder, file] = [path.split('/').slice(0, -1).join('/'), path.split('/').at(-1)]
  const beside = joinPath(folder, 'adapter_config.json')
  if (file !== 'adapter_model.safetensors' || !(await source.exists(beside))) return metadataConfigs(metadata, where)
  const there = describePath(source, beside)
  return new Map([['', peftConfig(parseJson(await source.readText(beside), there), there)]])
}

function unsupported(where: string, { tensors }: SafetensorsFile, method: string): DitError {
  const names = [...tensors.keys()].filter((name) => otherMethod(name) === method)
  return new DitError(
    'unsupported',
    `${where} is ${method}, and webdit merges LoRA alone: ${listed('tensors', names)}`,
    'Merge it into the model with the program that made it, or look for a plain LoRA.',
  )
}
