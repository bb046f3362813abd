import { DitError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { show } from '../show.ts'
import { describePath, fileNotFound, joinPath, type Source } from './source.ts'

/** The variants in published checkpoints, tried where a source cannot list its files. */
const KNOWN_VARIANTS = ['fp16', 'bf16', 'fp32']

/** What stands behind the stem in the name of a variant's file or index. */
const VARIANT_NAMES = [
  /^\.([^.]+)\.safetensors$/,
  /^\.safetensors\.index\.([^.]+)\.json$/,
  /^\.safetensors\.([^.]+)\.index\.json$/,
]

/** A weights file, or the index of several. */
export interface WeightsFile {
  file: string
  index: boolean
}

/** Finds which file of a component folder holds its weights. See openCheckpoint. */
export async function locateWeights(source: Source, dir: string, stem: string, variant?: string): Promise<WeightsFile> {
  const where = describePath(source, dir)
  const wanted = await firstPresent(source, dir, weightsFiles(stem, variant))
  if (wanted) return wanted

  const variants = await presentVariants(source, dir, stem)
  if (variant === undefined && variants.length === 1) {
    return (await firstPresent(source, dir, weightsFiles(stem, variants[0]))) as WeightsFile
  }
  const plain = await plainWeights(source, dir, stem, variants)
  if (plain && variant === undefined) return plain
  if (variants.length > 0 || plain) {
    const asked = variant === undefined ? `plain ${stem}.safetensors` : `variant ${show(variant)}`
    throw new DitError(
      'not-found',
      `${where} has no ${asked} of the weights`,
      `Choose from what is there: ${[...(plain ? ['no variant'] : []), ...variants].join(', ')}.`,
    )
  }
  // transformers calls its pickled weights pytorch_model.bin beside model.safetensors.
  const pickledStem = stem === 'model' ? 'pytorch_model' : stem
  for (const pickled of [`${pickledStem}.bin`, `${pickledStem}.bin.index.json`, `${pickledStem}.fp16.bin`]) {
    if (!(await source.exists(joinPath(dir, pickled)))) continue
    throw new DitError(
      'unsupported',
      `${where} has only ${pickled}; webdit reads safetensors, not pickled weights`,
      'Convert it in Python: load the model there and call save_pretrained(folder, safe_serialization=True).',
    )
  }
  const others = await otherFiles(source, dir)
  throw new DitError(
    'not-found',
    `${where} has no ${stem}.safetensors and no ${stem}.safetensors.index.json` +
      (others.length > 0 ? `, but ${others.join(', ')}` : ''),
    others.length > 0
      ? 'Leave the one there that is meant; that of a transformer can be named instead, with the option transformer.'
      : 'The download may be incomplete: fetch the whole checkpoint folder again.',
  )
}

/**
 * The `weight_map` of a sharded checkpoint's index: tensor name to shard file name.
 * @throws DitError 'corrupt', or 'not-found' where shards are absent (all are listed)
 */
export async function readWeightMap(source: Source, indexPath: string): Promise<Map<string, string>> {
  const where = describePath(source, indexPath)
  const index = parseJson(await source.readText(indexPath), where)
  const weightMap = (index as { weight_map?: unknown } | null)?.weight_map
  if (typeof weightMap !== 'object' || weightMap === null || Array.isArray(weightMap)) {
    throw new DitError('corrupt', `${where} has no weight_map from tensor names to files`, 'Fetch the file again.')
  }
  const entries = Object.entries(weightMap)
  for (const [name, shard] of entries) {
    if (typeof shard === 'string' && /^[^/\\:\0]+\.safetensors$/.test(shard)) continue
    throw new DitError(
      'corrupt',
      `${where} puts tensor ${show(name)} in ${show(shard)}; a safetensors file beside it was expected`,
      'Fetch the file again.',
    )
  }
  const dir = indexPath.split('/').slice(0, -1).join('/')
  const shards = [...new Set(entries.map(([, shard]) => shard as string))].sort()
  const present = await Promise.all(shards.map((shard) => source.exists(joinPath(dir, shard))))
  const absent = shards.filter((_, i) => !present[i])
  if (absent.length > 0) throw fileNotFound(source, joinPath(dir, absent.join(', ')))
  return new Map(entries as [string, string][])
}

/** Whether a component folder has its weights in this variant; undefined asks for the plain files. */
export async function hasWeights(source: Source, dir: string, stem: string, variant?: string): Promise<boolean> {
  if (await firstPresent(source, dir, weightsFiles(stem, variant))) return true
  if (variant !== undefined) return false
  return (await plainWeights(source, dir, stem, await presentVariants(source, dir, stem))) !== undefined
}

/** The files of no variant; where there are none of the library's names at all, the one that somebody put there. */
async function plainWeights(
  source: Source,
  dir: string,
  stem: string,
  variants: readonly string[],
): Promise<WeightsFile | undefined> {
  const plain = await firstPresent(source, dir, weightsFiles(stem))
  if (plain || variants.length > 0) return plain
  const others = await otherFiles(source, dir)
  return others.length === 1 ? { file: others[0], index: false } : undefined
}

/** The safetensors files of a folder, whatever their names; none where the source cannot list its files. */
async function otherFiles(source: Source, dir: string): Promise<string[]> {
  return ((await source.list?.(dir)) ?? []).filter((file) => file.endsWith('.safetensors'))
}

/**
 * The names a component's weights can have; diffusers and transformers name an index's variant alike. Older diffusers wrote
 * it before `index`, and behind the numbers of shards, whose names the index tells.
 */
function weightsFiles(stem: string, variant?: string): WeightsFile[] {
  const plain = [
    { file: `${stem}.safetensors`, index: false },
    { file: `${stem}.safetensors.index.json`, index: true },
  ]
  if (variant === undefined) return plain
  return [
    { file: `${stem}.${variant}.safetensors`, index: false },
    { file: `${stem}.safetensors.index.${variant}.json`, index: true },
    { file: `${stem}.safetensors.${variant}.index.json`, index: true },
  ]
}

async function firstPresent(source: Source, dir: string, files: WeightsFile[]): Promise<WeightsFile | undefined> {
  for (const candidate of files) if (await source.exists(joinPath(dir, candidate.file))) return candidate
  return undefined
}

/** The variants that a component folder has; where the source cannot list its files, those of the usual names. */
export async function presentVariants(source: Source, dir: string, stem: string): Promise<string[]> {
  if (!source.list) {
    const found = await Promise.all(KNOWN_VARIANTS.map((v) => firstPresent(source, dir, weightsFiles(stem, v))))
    return KNOWN_VARIANTS.filter((_, i) => found[i])
  }
  const variants = new Set<string>()
  for (const file of await source.list(dir)) {
    const rest = file.startsWith(`${stem}.`) ? file.slice(stem.length) : ''
    const variant = VARIANT_NAMES.map((name) => name.exec(rest)?.[1]).find((name) => name !== undefined)
    if (variant && !/-\d{5}-of-\d{5}$/.test(variant)) variants.add(variant)
  }
  return [...variants].sort()
}
