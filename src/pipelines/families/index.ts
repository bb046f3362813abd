import type { Family } from '../family.ts'
import { fluxFamily } from './flux.ts'
import { hunyuanDiTFamily } from './hunyuan_dit.ts'
import { pixartFamily } from './pixart.ts'
import { sd3Family } from './sd3.ts'

/** Families by the pipeline class that model_index.json names. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  FluxPipeline: fluxFamily,
  HunyuanDiTPipeline: hunyuanDiTFamily,
  PixArtAlphaPipeline: pixartFamily(120),
  PixArtSigmaPipeline: pixartFamily(300),
  StableDiffusion3Pipeline: sd3Family,
}
