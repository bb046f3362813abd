import type { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { parseJson } from '../runtime/json.ts'
import { openCheckpoint } from '../runtime/weights/checkpoint.ts'
import { type LoadOptions, loadWeights } from '../runtime/weights/load.ts'
import type { Parameters } from '../runtime/weights/parameters.ts'
import { describePath, joinPath, type Source } from '../runtime/weights/source.ts'
import type { Weights } from '../runtime/weights/weights.ts'
import { autoencoderKLConfig, decoderParameters, ENCODER_WEIGHTS } from './autoencoder_kl/config.ts'
import { pixartConfig } from './pixart/config.ts'
import { pixartParameters } from './pixart/parameters.ts'
import { T5_IGNORED, t5Config, t5Parameters } from './t5/config.ts'

/** How a network's folder is read: its config, its weights, the file they are in. */
interface ComponentKind<Config> {
  readonly config: (json: unknown) => Config
  readonly parameters: (config: Config) => Parameters
  /** Name of the weight files, without their ending. */
  readonly stem: string
  /** Stored tensors that webdit has no use for. */
  readonly ignore?: RegExp[]
}

const kind = <Config>(k: ComponentKind<Config>): ComponentKind<Config> => k

/** The networks that webdit has, by the class that config.json or model_index.json names. */
export const NETWORKS = {
  T5EncoderModel: kind({ config: t5Config, parameters: t5Parameters, stem: 'model', ignore: T5_IGNORED }),
  PixArtTransformer2DModel: kind({
    config: pixartConfig,
    parameters: pixartParameters,
    stem: 'diffusion_pytorch_model',
    // A buffer that older diffusers saved; it is computed for the size at hand.
    ignore: [/^pos_embed\.pos_embed$/],
  }),
  AutoencoderKL: kind({
    config: autoencoderKLConfig,
    parameters: decoderParameters,
    stem: 'diffusion_pytorch_model',
    ignore: ENCODER_WEIGHTS,
  }),
}

export type NetworkClass = keyof typeof NETWORKS
type ConfigOf<C extends NetworkClass> = ReturnType<(typeof NETWORKS)[C]['config']>

/** A network on a device. */
export interface Component<C extends NetworkClass> {
  readonly className: C
  readonly config: ConfigOf<C>
  readonly weights: Weights
}

export interface ComponentOptions extends Omit<LoadOptions, 'ignore'> {
  variant?: string
}

/** Loads the network in `dir` of a checkpoint onto a device. */
export async function loadComponent<C extends NetworkClass>(
  device: Device,
  className: C,
  source: Source,
  dir: string,
  options: ComponentOptions = {},
): Promise<Component<C>> {
  // The registry's entries differ in Config only, which this function passes through.
  const network = NETWORKS[className] as unknown as ComponentKind<ConfigOf<C>>
  const config = network.config(await readJson(source, joinPath(dir, 'config.json')))
  const checkpoint = await openCheckpoint(source, dir, network.stem, { variant: options.variant })
  const weights = await loadWeights(device, checkpoint, network.parameters(config), {
    ...options,
    ignore: network.ignore,
  })
  return { className, config, weights }
}

/** A JSON object of the checkpoint. @throws DitError 'not-found' or 'corrupt', naming the file */
export async function readJson(source: Source, path: string): Promise<Record<string, unknown>> {
  const json = parseJson(await source.readText(path), describePath(source, path))
  if (json && typeof json === 'object' && !Array.isArray(json)) return json as Record<string, unknown>
  throw new DitError('corrupt', `${describePath(source, path)} holds no JSON object`, 'Fetch the folder again.')
}
