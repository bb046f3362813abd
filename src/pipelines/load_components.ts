import {
  type Component,
  type ComponentOptions,
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
import { checkLoras } from './loras/lora_options.ts'
import { Loras } from './loras/loras.ts'
import { openNetworkFiles } from './network_files.ts'
import { checkOffload, checkOffloadDivided, Offload, streamsBlocks } from './offload.ts'
import type { PipelineClass } from './pipeline_class.ts'
import { PREVIEW_FILE, previewMap } from './preview.ts'
import { decodes } from './shared_decoding.ts'
import { encodesText } from './shared_text.ts'
import type { PromptTokenizer } from './text.ts'

type Share = ComponentOptions['share']

/**
 * Loads what this rank needs of a pipeline: tokenizers first, then a network after the other; with `offload` no network,
 * until it is needed. LoRAs are merged into what is loaded.
 *
 * @param closeSource called whenever nothing will be read for a while
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
    loras: givenLoras,
    onProgress,
    signal,
  }: FromPretrainedOptions,
  closeSource?: () => Promise<void>,
): Promise<Components> {
  const mesh = ranks ?? oneRank()
  const mode = checkOffload(offload)
  checkOffloadDivided(mode, mesh.config)
  const offloads = mode !== 'none'
  const checkedLoras = checkLoras(givenLoras)
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
      prepared[folder] = await prepareComponent(device, network, source, folder, {
        variant: variants[folder],
        format: formats[folder],
        file: own.files[folder],
        parts: imageToImage ? undefined : (['decode'] as const),
        share,
        streamed: streamsBlocks(mode, network, folder),
      })
    }
    const kept = offloads ? new Offload(device, prepared, { onProgress, close: closeAll }) : undefined
    const loras = new Loras(prepared, {
      model: className,
      random: source.random,
      onProgress,
      textsChange: () => kept?.texts.clear(),
      release: kept ? undefined : closeAll,
    })
    await loras.merge(checkedLoras, signal)
    for (const [folder, { load }] of offloads ? [] : Object.entries(prepared)) {
      await load({ signal, onProgress: (done, total) => onProgress?.(folder, done, total) })
    }
    const { vae, ...others } = prepared as Record<string, Component<NetworkClass>>
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
      loras,
      offload: kept,
    }
  } catch (error) {
    for (const { weights } of Object.values(prepared)) weights.free()
    await closeAll()
    throw error
  } finally {
    if (!offloads) await closeAll()
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
