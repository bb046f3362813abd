import type { NetworkClass } from '../../models/component.ts'

/** A network as its config.json has it: what of the published ones shapes the computation. */
export type NetworkConfig = readonly [NetworkClass, Readonly<Record<string, unknown>>]

const clip = { vocab_size: 49_408, max_position_embeddings: 77 }
const CLIP_L = {
  ...clip,
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  hidden_act: 'quick_gelu',
  projection_dim: 768,
}

/** OpenAI's CLIP ViT-L/14, without its projection (FLUX) and with it (SD3). */
export const CLIP_L_POOLED: NetworkConfig = ['CLIPTextModel', CLIP_L]
export const CLIP_L_PROJECTED: NetworkConfig = ['CLIPTextModelWithProjection', CLIP_L]

/** OpenCLIP's ViT-bigG/14. */
export const CLIP_G: NetworkConfig = [
  'CLIPTextModelWithProjection',
  {
    ...clip,
    hidden_size: 1280,
    intermediate_size: 5120,
    num_hidden_layers: 32,
    num_attention_heads: 20,
    hidden_act: 'gelu',
    projection_dim: 1280,
  },
]

const t5 = { feed_forward_proj: 'gated-gelu', d_kv: 64, num_layers: 24 }

/** T5 v1.1 XXL. */
export const T5_XXL: NetworkConfig = [
  'T5EncoderModel',
  { ...t5, vocab_size: 32_128, d_model: 4096, d_ff: 10_240, num_heads: 64 },
]

/** mT5 XL, of HunyuanDiT. */
export const MT5_XL: NetworkConfig = [
  'T5EncoderModel',
  { ...t5, vocab_size: 250_112, d_model: 2048, d_ff: 5120, num_heads: 32 },
]

/** The bilingual BERT of HunyuanDiT. */
export const BERT: NetworkConfig = [
  'BertModel',
  {
    vocab_size: 47_020,
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    intermediate_size: 4096,
    hidden_act: 'gelu',
    max_position_embeddings: 512,
    type_vocab_size: 2,
  },
]

const autoencoder = (
  latentChannels: number,
  scaling: number,
  shift: number | null,
  quantised: boolean,
): NetworkConfig => [
  'AutoencoderKL',
  {
    in_channels: 3,
    out_channels: 3,
    down_block_types: Array(4).fill('DownEncoderBlock2D'),
    up_block_types: Array(4).fill('UpDecoderBlock2D'),
    block_out_channels: [128, 256, 512, 512],
    layers_per_block: 2,
    act_fn: 'silu',
    latent_channels: latentChannels,
    norm_num_groups: 32,
    sample_size: 1024,
    scaling_factor: scaling,
    shift_factor: shift,
    use_quant_conv: quantised,
    use_post_quant_conv: quantised,
  },
]

export const VAE_FLUX = autoencoder(16, 0.3611, 0.1159, false)
export const VAE_SD3 = autoencoder(16, 1.5305, 0.0609, false)
export const VAE_SDXL = autoencoder(4, 0.13025, null, true)

const flux = (guidanceEmbeds: boolean): NetworkConfig => [
  'FluxTransformer2DModel',
  {
    patch_size: 1,
    in_channels: 64,
    num_layers: 19,
    num_single_layers: 38,
    attention_head_dim: 128,
    num_attention_heads: 24,
    joint_attention_dim: 4096,
    pooled_projection_dim: 768,
    guidance_embeds: guidanceEmbeds,
    axes_dims_rope: [16, 56, 56],
  },
]

export const FLUX_DEV = flux(true)
export const FLUX_SCHNELL = flux(false)

const sd3 = (heads: number, layers: number, own: Record<string, unknown>): NetworkConfig => [
  'SD3Transformer2DModel',
  {
    sample_size: 128,
    patch_size: 2,
    in_channels: 16,
    out_channels: 16,
    num_layers: layers,
    attention_head_dim: 64,
    num_attention_heads: heads,
    joint_attention_dim: 4096,
    caption_projection_dim: 64 * heads,
    pooled_projection_dim: 2048,
    pos_embed_max_size: 192,
    dual_attention_layers: [],
    ...own,
  },
]

export const SD3_MEDIUM = sd3(24, 24, { qk_norm: null })
export const SD35_MEDIUM = sd3(24, 24, {
  qk_norm: 'rms_norm',
  pos_embed_max_size: 384,
  dual_attention_layers: Array.from({ length: 13 }, (_, layer) => layer),
})
export const SD35_LARGE = sd3(38, 38, { qk_norm: 'rms_norm' })

/** HunyuanDiT 1.2; 1.1 differs in a few small conditions. */
export const HUNYUANDIT: NetworkConfig = [
  'HunyuanDiT2DModel',
  {
    num_attention_heads: 16,
    attention_head_dim: 88,
    in_channels: 4,
    patch_size: 2,
    activation_fn: 'gelu-approximate',
    sample_size: 128,
    hidden_size: 1408,
    num_layers: 40,
    mlp_ratio: 4.3637,
    learn_sigma: true,
    cross_attention_dim: 1024,
    norm_type: 'layer_norm',
    cross_attention_dim_t5: 2048,
    pooled_projection_dim: 1024,
    text_len: 77,
    text_len_t5: 256,
    use_style_cond_and_image_meta_size: false,
  },
]

export const PIXART_SIGMA: NetworkConfig = [
  'PixArtTransformer2DModel',
  {
    num_attention_heads: 16,
    attention_head_dim: 72,
    in_channels: 4,
    out_channels: 8,
    num_layers: 28,
    cross_attention_dim: 1152,
    attention_bias: true,
    sample_size: 128,
    patch_size: 2,
    activation_fn: 'gelu-approximate',
    norm_type: 'ada_norm_single',
    norm_elementwise_affine: false,
    norm_eps: 1e-6,
    interpolation_scale: 2,
    use_additional_conditions: false,
    caption_channels: 4096,
  },
]
