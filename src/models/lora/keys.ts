/** The tensor of an adapted layer that a key of a LoRA file names. */
export interface LoraKey {
  /** As the file names it, with what tells the network before it: 'lora_unet_double_blocks_0_img_attn_qkv'. */
  readonly layer: string
  readonly part: 'down' | 'up' | 'alpha'
}

/**
 * How files end the keys of a layer's two matrices: peft, and diffusers with it, `.lora_A.weight` (by an adapter's name
 * `.lora_A.default.weight`), kohya-ss `.lora_down.weight`, older diffusers `.lora.down.weight` and
 * `.lora_linear_layer.down.weight`, x-flux `.down.weight`.
 */
const MATRIX = /^(.+?)(?:\.lora_([AB])(?:\.\w+)?|(?:\.lora|\.lora_linear_layer)?\.(?:lora_)?(down|up))\.weight$/
const ALPHA = /^(.+?)(?:\.lora|\.lora_linear_layer)?\.alpha$/

/** @returns undefined for what is none */
export function loraKey(name: string): LoraKey | undefined {
  const alpha = ALPHA.exec(name)
  if (alpha) return { layer: alpha[1], part: 'alpha' }
  const matrix = MATRIX.exec(name)
  if (!matrix) return undefined
  const [, layer, letter, word] = matrix
  return { layer, part: letter === 'A' || word === 'down' ? 'down' : 'up' }
}

/** What else adapters change weights by, and files hold under such keys. */
const OTHER_METHODS: readonly (readonly [RegExp, string])[] = [
  [/\.(lora_magnitude_vector|dora_scale)\b/, 'DoRA'],
  [/\.hada_\w+$/, 'LoHa'],
  [/\.lokr_\w+$/, 'LoKr'],
  [/\.(oft_\w+|boft_\w+)\b/, 'OFT'],
  [/\.lora_mid\.weight$/, 'LoRA of convolutions in three factors'],
  [/\.lora_embedding_[AB]\b/, 'LoRA of embeddings'],
  [/\.(lora_[AB](\.\w+)?\.bias|lora_bias)$/, 'biases of LoRA'],
  [/\.(diff|diff_b|set_weight)$/, 'whole differences of weights'],
  [/^bundle_emb\./, 'textual inversion'],
  [/\.norm\.(query|key)_norm\.scale$/, 'FLUX control LoRA'],
]

/** The method that a key is of, where that is another than LoRA. */
export const otherMethod = (name: string): string | undefined =>
  OTHER_METHODS.find(([pattern]) => pattern.test(name))?.[1]
