import { DitError } from '../errors.ts'
import { show } from '../show.ts'
import { locateWeights, readWeightMap } from './checkpoint_files.ts'
import type { TensorData } from './dtypes.ts'
import { isGgufFile, openGgufFile } from './gguf/checkpoint.ts'
import type { LowRank } from './low_rank.ts'
import { readSafetensorsHeader, readTensor, type SafetensorsFile, type TensorEntry } from './safetensors.ts'
import { describePath, joinPath, type Source, type SourceFile } from './source.ts'

/** The tensors of one component, wherever in its files they are. Only headers are read; it holds no data. */
export interface Checkpoint {
  readonly source: Source
  /** The component's folder, for people. */
  readonly where: string
  /** Where it is a GGUF file: what that says it is of, such as 'flux'. */
  readonly gguf?: { readonly architecture: string | undefined }
  /** Tensor names, sorted. */
  names(): string[]
  has(name: string): boolean
  /** Where a tensor is: the file, relative to the source, and its place in it. @throws DitError 'not-found' */
  entry(name: string): { path: string; tensor: TensorEntry }
  /** Fills `target` with a tensor's bytes, as they are stored, from its byte `offset` on. @throws DitError 'not-found' */
  readInto(name: string, offset: number, target: Uint8Array): Promise<void>
  /** One whole tensor on the host (see readTensor). @throws DitError 'not-found' */
  read(name: string): Promise<{ shape: number[]; data: TensorData }>
  /** What is added to a tensor when it is loaded as a weight, if anything is. */
  lowRank?(name: string): Promise<LowRank> | undefined
}

export interface CheckpointOptions {
  /** Which variant of the files to take, e.g. 'fp16'. Default: the plain ones, or else the only variant there is. */
  variant?: string
}

/**
 * Opens the weights of a component folder: a single `${stem}.safetensors` or the shards that
 * `${stem}.safetensors.index.json` names, with the variant names that diffusers and transformers write; or else the only
 * safetensors file that there is.
 * @param dir the component's folder inside the source; '' for the source itself
 * @param stem 'diffusion_pytorch_model' (diffusers) or 'model' (transformers)
 * @throws DitError 'not-found', 'corrupt', or 'unsupported' where there are only pickled weights
 */
export async function openCheckpoint(
  source: Source,
  dir: string,
  stem: string,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  const found = await locateWeights(source, dir, stem, options.variant)
  const where = describePath(source, dir)
  if (!found.index) return singleFile(source, where, joinPath(dir, found.file))

  const indexPath = joinPath(dir, found.file)
  const weightMap = await readWeightMap(source, indexPath)
  const shards = new Map<string, SafetensorsFile>()
  for (const shard of new Set(weightMap.values())) {
    shards.set(shard, await readSafetensorsHeader(source, joinPath(dir, shard)))
  }
  const places = new Map<string, SafetensorsFile>()
  // A tensor that no index names is still there for matchNames to report.
  for (const shard of shards.values()) for (const name of shard.tensors.keys()) places.set(name, shard)
  for (const [name, shard] of weightMap) {
    const file = shards.get(shard) as SafetensorsFile
    if (!file.tensors.has(name)) {
      throw new DitError(
        'corrupt',
        `${describePath(source, indexPath)} puts tensor ${show(name)} in ${shard}, which has no such tensor`,
        'The index and the shards are of different checkpoints: fetch the folder again.',
      )
    }
    places.set(name, file)
  }
  return checkpointOf(source, where, places)
}

/** A GGUF file by its ending, or else a safetensors file. @throws DitError 'not-found', 'corrupt', 'unsupported' */
export const openWeightsFile = ({ source, path }: SourceFile): Promise<Checkpoint> =>
  isGgufFile(path) ? openGgufFile({ source, path }) : singleFile(source, describePath(source, path), path)

async function singleFile(source: Source, where: string, path: string): Promise<Checkpoint> {
  const file = await readSafetensorsHeader(source, path)
  return checkpointOf(source, where, new Map([...file.tensors.keys()].map((name) => [name, file])))
}

function checkpointOf(source: Source, where: string, places: Map<string, SafetensorsFile>): Checkpoint {
  function fileOf(name: string): SafetensorsFile {
    const file = places.get(name)
    if (file) return file
    throw new DitError(
      'not-found',
      `the weights in ${where} have no tensor ${show(name)}`,
      'Check that config.json and the weights are of the same model.',
    )
  }
  return {
    source,
    where,
    names: () => [...places.keys()].sort(),
    has: (name) => places.has(name),
    entry(name) {
      const file = fileOf(name)
      return { path: file.path, tensor: file.tensors.get(name) as TensorEntry }
    },
    readInto: async (name, offset, target) => {
      const { path, tensors } = fileOf(name)
      return source.readInto(path, (tensors.get(name) as TensorEntry).begin + offset, target)
    },
    read: async (name) => readTensor(source, fileOf(name), name),
  }
}
