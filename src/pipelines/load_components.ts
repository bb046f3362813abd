import {
  type Component,
  type ComponentOptions,
  loadComponent,
  type NetworkClass,
  type PreparedComponent,
  prepareComponent,
  readJson,
} from '../models/component.ts'
import { loadTokenizer } from '../models/tokenizers/load_tokenizer.ts'
import { oneRank, type Ranks } from '../parallel/crew/ranks.ts'
import { encoderShareOf, weightShareOf } from '../parallel/crew/stages.ts'
import type { Device } from '../runtime/device.ts'
import type { Source } from '../runtime/weights/source.ts'
import { componentFormats } from './component_formats.ts'
import { componentVariants } from './component_variants.ts'
import type { FromPretrainedOptions } from './diffusion_pipeline.ts'
import type { Components } from './family.ts'
import { openNetworkFiles } from './network_files.ts'
import { Offload } from './offload.ts'
import type { PipelineClass } from './pipeline_class.ts'
import { PREVIEW_FILE, previewMap } from './preview.ts'
import { decodes } from './shared_decoding.ts'
import { encodesText } from './shared_text.ts'
import type { PromptTokenizer } from './text.ts'

type Share = ComponentOptions['share']

/**
 * Loads what this rank needs of a pipeline: tokenizers first, then a network after the other; with `offload` no network,
 * until it is needed.
 *
 * @param closeSource for what is loaded later: called where no more will be
 */
export async function loadComponents(
  device: Device,
  source: Source,
  { className, family, networks, tokenizers }: PipelineClass,
  {
    ranks,
    variant,
    transformer,
    textEncoders,
    imageToImage = false,
    tokenizers: given,
    offload,
    weights: weightFormats,
    onProgress,
    signal,
  }: FromPretrainedOptions,
  closeSource?: () => Promise<void>,
): Promise<Components> {
  const mesh = ranks ?? oneRank()
  const offloads = offload === 'components'
  const loaded: Record<string, Component<NetworkClass>> = {}
  const prepared: Record<string, PreparedComponent<NetworkClass>> = {}
  const own = await openNetworkFiles({ transformer, textEncoders }, Object.keys(networks))
  const closeAll = async () => {
    await own.close()
    await closeSource?.()
  }
  try {
    const texts: Record<string, PromptTokenizer> = {}
    for (const folder of tokenizers) texts[folder] = given?.[folder] ?? (await loadTokenizer(source, folder))
    const schedulerConfig = await readJson(source, 'scheduler/scheduler_config.json')
    const transformerFacts = family.facts(await readJson(source, 'transformer/config.json'))
    const inFolders = Object.fromEntries(Object.entries(networks).filter(([folder]) => !own.files[folder]))
    const formats = componentFormats(weightFormats, networks)
    const variants = await componentVariants(source, inFolders, variant)
    for (const [folder, network] of Object.entries(networks)) {
      const share = shareOf(mesh, folder, network, transformerFacts.blocks)
      const options = {
        variant: variants[folder],
        format: formats[folder],
        file: own.files[folder],
        signal,
        parts: imageToImage ? undefined : (['decode'] as const),
        onProgress: (done: number, total: number) => onProgress?.(folder, done, total),
      }
      if (offloads) prepared[folder] = await prepareComponent(device, network, source, folder, { ...options, share })
      loaded[folder] = prepared[folder] ?? (await loadComponent(device, network, source, folder, { ...options, share }))
    }
    const { vae, ...others } = loaded
    const autoencoder = vae as unknown as Component<'AutoencoderKL'>
    const preview = (await source.exists(PREVIEW_FILE))
      ? previewMap(await readJson(source, PREVIEW_FILE), autoencoder.config.latentChannels)
      : undefined
    return {
      className,
      device,
      ranks,
      tokenizers: texts,
      networks: others,
      transformerFacts,
      vae: autoencoder,
      imageToImage,
      weights: weightFormats,
      schedulerConfig,
      preview,
      offload: offloads ? new Offload(device, prepared, { onProgress, close: closeAll }) : undefined,
    }
  } catch (error) {
    for (const { weights } of Object.values(loaded)) weights.free()
    if (offloads) await own.close()
    throw error
  } finally {
    if (!offloads) await own.close()
  }
}

/** What this rank loads of a network. */
function shareOf(mesh: Ranks, folder: string, network: NetworkClass, blocks: number): Share {
  if (folder === 'transformer') return () => weightShareOf(mesh, blocks)
  if (folder === 'vae') return decodes(mesh) ? undefined : 'none'
  if (!encodesText(mesh)) return 'none'
  // --shard_t5_encoder: the others are small.
  return network === 'T5EncoderModel' ? () => encoderShareOf(mesh) : undefined
}
