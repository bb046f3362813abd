import type { Case } from '../case.ts'
import { TRAINED } from '../find_cases.ts'
import type { Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'
import { attentionRunner, ringRunner } from './attention.ts'
import { autoencoderKL } from './autoencoder_kl.ts'
import { bertModel } from './bert_encoder.ts'
import { clipTextModel, clipTextModelWithProjection } from './clip_encoder.ts'
import { fluxTransformer2DModel } from './flux_transformer.ts'
import { functionsRunner } from './functions.ts'
import { hunyuanDiT2DModel } from './hunyuan_dit_transformer.ts'
import { manifestsRunner } from './manifests.ts'
import { noiseRunner } from './noise.ts'
import { pipelineRunner } from './pipeline.ts'
import { pixartPipeline } from './pixart_pipeline.ts'
import { pixartTransformer2DModel } from './pixart_transformer.ts'
import { schedulerRunner } from './scheduler.ts'
import { sd3Transformer2DModel } from './sd3_transformer.ts'
import { staleKvRunner } from './stale_kv.ts'
import { t5EncoderModel } from './t5_encoder.ts'
import { tokensRunner } from './tokens.ts'
import { trainedModelRunner } from './trained_model.ts'

/** Kinds of case that hold more than a call of one class, by meta.json's builder. */
const BY_BUILDER: Readonly<Record<string, Runner>> = {
  attention: attentionRunner,
  attention_ring: ringRunner,
  functions: functionsRunner,
  make_manifests: manifestsRunner,
  make_noise: noiseRunner,
  make_stale_kv: staleKvRunner,
  scheduler: schedulerRunner,
  tokenizer: tokensRunner,
  [TRAINED]: trainedModelRunner,
}

/** Networks and pipelines by their diffusers or transformers class. */
const BY_CLASS: Readonly<Record<string, Runner>> = {
  AutoencoderKL: autoencoderKL,
  BertModel: bertModel,
  CLIPTextModel: clipTextModel,
  CLIPTextModelWithProjection: clipTextModelWithProjection,
  FluxPipeline: pipelineRunner,
  FluxTransformer2DModel: fluxTransformer2DModel,
  HunyuanDiT2DModel: hunyuanDiT2DModel,
  HunyuanDiTPipeline: pipelineRunner,
  PixArtAlphaPipeline: pixartPipeline,
  PixArtSigmaPipeline: pixartPipeline,
  PixArtTransformer2DModel: pixartTransformer2DModel,
  SD3Transformer2DModel: sd3Transformer2DModel,
  StableDiffusion3Pipeline: pipelineRunner,
  T5EncoderModel: t5EncoderModel,
}

/** What computes a case's runs; every run of a class that webdit lacks is unsupported. */
export function runnerOf({ meta }: Case): Runner {
  const { builder = '', class: className } = meta
  if (Object.hasOwn(BY_BUILDER, builder)) return BY_BUILDER[builder]
  if (typeof className === 'string' && Object.hasOwn(BY_CLASS, className)) return BY_CLASS[className]
  return {
    run: async () => {
      throw notBuilt(String(className))
    },
  }
}
