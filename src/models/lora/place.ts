import type { NetworkClass } from '../component.ts'

/** What names of layers begin with, in the files of trainers and programs, and the folder of the network it says. */
const PREFIXES: readonly (readonly [prefix: string, folder: string])[] = [
  ['transformer.', 'transformer'],
  ['unet.', 'transformer'],
  ['lora_unet_', 'transformer'],
  ['lora_transformer_', 'transformer'],
  ['diffusion_model.', 'transformer'],
  ['model.diffusion_model.', 'transformer'],
  ['base_model.model.', 'transformer'],
  ['base_model.model.transformer.', 'transformer'],
  ['text_encoder.', 'text_encoder'],
  ['lora_te_', 'text_encoder'],
  ['lora_te1_', 'text_encoder'],
  ['text_encoders.clip_l.transformer.', 'text_encoder'],
  ['text_encoder_2.', 'text_encoder_2'],
  ['lora_te2_', 'text_encoder_2'],
  ['text_encoders.clip_g.transformer.', 'text_encoder_2'],
  ['text_encoder_3.', 'text_encoder_3'],
  // Of FLUX as of SD3, though it is FLUX's second.
  ['lora_te3_', 'T5EncoderModel'],
  ['text_encoders.t5xxl.transformer.', 'T5EncoderModel'],
]

/** Where a layer is: in which network, by its folder, and what its name is there. */
export interface LayerPlace {
  readonly folder: string
  readonly layer: string
}

/**
 * What the name of a layer in a file may mean. Without anything before it, it is a layer of the transformer.
 *
 * @param networks classes, by their folders
 */
export function layerPlaces(name: string, networks: Readonly<Record<string, NetworkClass>>): LayerPlace[] {
  const places = PREFIXES.filter(([prefix]) => name.startsWith(prefix)).map(([prefix, folder]) => ({
    folder: Object.keys(networks).find((one) => networks[one] === folder) ?? folder,
    layer: name.slice(prefix.length),
  }))
  return [...places, { folder: 'transformer', layer: name }]
}
