import { NETWORKS, type NetworkClass, readJson } from '../models/component.ts'
import { joinPath, type Source } from '../runtime/weights/source.ts'
import { pipelineClass } from './diffusion_pipeline.ts'

/** What of a model decides how it can be divided and what it draws, read from its config files alone. */
export interface ModelFacts {
  readonly className: string
  /** Blocks of the transformer, its attention heads, and the rows of latents of a token. */
  readonly blocks: number
  readonly heads: number
  readonly patch: number
  readonly sampleSize: number
  /** Pixels of a latent. */
  readonly scale: number
  /** scheduler_config.json. */
  readonly schedulerConfig: unknown
}

/** @throws DitError 'not-found', 'corrupt', 'unsupported' */
export async function modelFacts(source: Source): Promise<ModelFacts> {
  const { className } = await pipelineClass(source)
  const config = async <C extends NetworkClass>(network: C, dir: string) =>
    NETWORKS[network].config(await readJson(source, joinPath(dir, 'config.json'))) as ReturnType<
      (typeof NETWORKS)[C]['config']
    >
  const transformer = await config('PixArtTransformer2DModel', 'transformer')
  const { scale } = await config('AutoencoderKL', 'vae')
  const { layers: blocks, heads, patch, sampleSize } = transformer
  const schedulerConfig = await readJson(source, 'scheduler/scheduler_config.json')
  return { className, blocks, heads, patch, sampleSize, scale, schedulerConfig }
}
