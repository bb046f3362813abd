import {
  BERT,
  CLIP_G,
  CLIP_L_POOLED,
  CLIP_L_PROJECTED,
  FLUX_DEV,
  FLUX_SCHNELL,
  HUNYUANDIT,
  MT5_XL,
  type NetworkConfig,
  PIXART_SIGMA,
  SD3_MEDIUM,
  SD35_LARGE,
  SD35_MEDIUM,
  T5_XXL,
  VAE_FLUX,
  VAE_SD3,
  VAE_SDXL,
} from './networks.ts'
import { BERT_LIKE, CLIP_LIKE, T5_LIKE, type TokenizerKind } from './tokenizers.ts'

/** A published model: its shapes, and no weights. */
export interface RandomModel {
  readonly className: string
  readonly networks: Readonly<Record<string, NetworkConfig>>
  readonly tokenizers: Readonly<Record<string, TokenizerKind>>
  readonly scheduler: Readonly<Record<string, unknown>>
}

const flowMatch = (own: Record<string, unknown>) => ({
  _class_name: 'FlowMatchEulerDiscreteScheduler',
  num_train_timesteps: 1000,
  ...own,
})

const flux = (transformer: NetworkConfig, scheduler: Record<string, unknown>): RandomModel => ({
  className: 'FluxPipeline',
  networks: { text_encoder: CLIP_L_POOLED, text_encoder_2: T5_XXL, transformer, vae: VAE_FLUX },
  tokenizers: { tokenizer: CLIP_LIKE, tokenizer_2: T5_LIKE },
  scheduler: flowMatch(scheduler),
})

const sd3 = (transformer: NetworkConfig): RandomModel => ({
  className: 'StableDiffusion3Pipeline',
  networks: {
    text_encoder: CLIP_L_PROJECTED,
    text_encoder_2: CLIP_G,
    text_encoder_3: T5_XXL,
    transformer,
    vae: VAE_SD3,
  },
  tokenizers: { tokenizer: CLIP_LIKE, tokenizer_2: CLIP_LIKE, tokenizer_3: T5_LIKE },
  scheduler: flowMatch({ shift: 3 }),
})

const dynamicShift = {
  use_dynamic_shifting: true,
  base_image_seq_len: 256,
  max_image_seq_len: 4096,
  base_shift: 0.5,
  max_shift: 1.15,
  shift: 3,
}

/** By the names that `--model` takes with `--random-weights`. */
export const RANDOM_MODELS: Readonly<Record<string, RandomModel>> = {
  'flux.1-dev': flux(FLUX_DEV, dynamicShift),
  'flux.1-schnell': flux(FLUX_SCHNELL, { shift: 1 }),
  'sd3-medium': sd3(SD3_MEDIUM),
  'sd3.5-medium': sd3(SD35_MEDIUM),
  'sd3.5-large': sd3(SD35_LARGE),
  hunyuandit: {
    className: 'HunyuanDiTPipeline',
    networks: { text_encoder: BERT, text_encoder_2: MT5_XL, transformer: HUNYUANDIT, vae: VAE_SDXL },
    tokenizers: { tokenizer: BERT_LIKE, tokenizer_2: T5_LIKE },
    scheduler: {
      _class_name: 'DDPMScheduler',
      num_train_timesteps: 1000,
      beta_schedule: 'scaled_linear',
      beta_start: 0.00085,
      beta_end: 0.018,
      prediction_type: 'v_prediction',
      clip_sample: false,
      steps_offset: 1,
      timestep_spacing: 'leading',
    },
  },
  'pixart-sigma': {
    className: 'PixArtSigmaPipeline',
    networks: { text_encoder: T5_XXL, transformer: PIXART_SIGMA, vae: VAE_SDXL },
    tokenizers: { tokenizer: T5_LIKE },
    scheduler: {
      _class_name: 'DPMSolverMultistepScheduler',
      num_train_timesteps: 1000,
      algorithm_type: 'dpmsolver++',
      beta_schedule: 'linear',
      beta_start: 0.0001,
      beta_end: 0.02,
      solver_order: 2,
    },
  },
}
