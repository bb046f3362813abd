import { NETWORKS } from '../../models/component.ts'
import { componentVariants } from '../../pipelines/component_variants.ts'
import type { PlainLora } from '../../pipelines/loras/lora_options.ts'
import { openNamedFile } from '../../pipelines/named_file.ts'
import { openNetworkFiles } from '../../pipelines/network_files.ts'
import { type PipelineClass, pipelineClass } from '../../pipelines/pipeline_class.ts'
import { DitError } from '../../runtime/errors.ts'
import { locateWeights, readWeightMap } from '../../runtime/weights/checkpoint_files.ts'
import { joinPath, type Source, type SourceFile } from '../../runtime/weights/source.ts'

/** What decides which picture a request gets, besides webdit itself. */
export interface DigestedModel {
  readonly source: Source
  readonly variant?: string
  readonly transformer?: string
  readonly textEncoders?: Readonly<Record<string, string>>
  readonly weights?: string
  readonly loras?: readonly PlainLora[]
}

/** Of each file so many pieces of so many bytes are read, evenly spread: a whole checkpoint would take minutes. */
const [PIECES, PIECE] = [64, 16 * 1024]

/** Hex digits that name a model. */
const DIGITS = 16

/**
 * A name for a model's weights, configuration and tokenizers, the same on all machines that have the same files. Of large
 * files it sees sizes and samples: 1 MiB of each, so that weights that were trained further have another name, and a
 * change of less than a 64th of a file in one place may be missed.
 *
 * @throws DitError 'not-found', 'corrupt', 'unsupported'
 */
export async function modelDigest(model: DigestedModel): Promise<string> {
  const { source, weights, loras = [] } = model
  const pipeline = await pipelineClass(source)
  const parts: [string, string][] = []
  const add = async (name: string, { source, path }: SourceFile) =>
    void parts.push([name, await fileDigest(source, path)])
  for (const path of await smallFiles(source, pipeline)) await add(path, { source, path })
  const own = await openNetworkFiles(model, Object.keys(pipeline.networks))
  try {
    for (const [folder, file] of Object.entries(own.files)) await add(folder, file)
    if (source.random) parts.push(['weights', `at random, of ${source.name}`])
    else for (const path of await weightFiles(model, pipeline, own.files)) await add(path, { source, path })
  } finally {
    await own.close()
  }
  for (const { file, weight } of loras) {
    const opened = await openNamedFile(file, () => new DitError('not-found', `there is no LoRA ${file}`))
    await add(`lora:${weight}`, opened).finally(() => opened.source.close())
  }
  const text = JSON.stringify([parts.toSorted(([a], [b]) => (a < b ? -1 : 1)), weights ?? 'f16'])
  return (await sha256(new TextEncoder().encode(text))).slice(0, DIGITS)
}

async function smallFiles(source: Source, { networks, tokenizers }: PipelineClass): Promise<string[]> {
  const configs = ['model_index.json', 'scheduler/scheduler_config.json']
  const ofNetworks = Object.keys(networks).map((folder) => `${folder}/config.json`)
  const ofTokenizers: string[] = []
  for (const folder of tokenizers) {
    for (const file of (await source.list?.(folder)) ?? []) ofTokenizers.push(joinPath(folder, file))
  }
  const found: string[] = []
  for (const path of [...configs, ...ofNetworks, ...ofTokenizers]) if (await source.exists(path)) found.push(path)
  return found
}

/** The files that the networks' weights are read from. */
async function weightFiles(
  { source, variant }: DigestedModel,
  { networks }: PipelineClass,
  own: Readonly<Record<string, SourceFile>>,
): Promise<string[]> {
  const inFolders = Object.fromEntries(Object.entries(networks).filter(([folder]) => !own[folder]))
  const variants = await componentVariants(source, inFolders, variant)
  const paths: string[] = []
  for (const [folder, className] of Object.entries(inFolders)) {
    const { file, index } = await locateWeights(source, folder, NETWORKS[className].stem, variants[folder])
    const path = joinPath(folder, file)
    if (!index) paths.push(path)
    else {
      const shards = new Set((await readWeightMap(source, path)).values())
      paths.push(...[...shards].map((shard) => joinPath(folder, shard)))
    }
  }
  return paths
}

async function fileDigest(source: Source, path: string): Promise<string> {
  const size = await source.size(path)
  if (size <= PIECES * PIECE) {
    const all = new Uint8Array(size)
    await source.readInto(path, 0, all)
    return sha256(all)
  }
  const pieces = new Uint8Array(PIECES * PIECE)
  await Promise.all(
    Array.from({ length: PIECES }, (_, i) => {
      const at = Math.floor((i * (size - PIECE)) / (PIECES - 1))
      return source.readInto(path, at, pieces.subarray(i * PIECE, (i + 1) * PIECE))
    }),
  )
  return `${size}:${await sha256(pieces)}`
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
