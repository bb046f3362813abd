import { decodeLatents } from '../../../pipelines/decode_latents.ts'
import type { Pipeline } from '../../../pipelines/diffusion_pipeline.ts'
import { networkOf } from '../../../pipelines/family.ts'
import { toUnit } from '../../../pipelines/image/image.ts'
import { encodeCaptions, predictPixArt } from '../../../pipelines/pixart_network.ts'
import { encodeWithT5, joinBatches, type TokenBatch, tokenize } from '../../../pipelines/text.ts'
import type { Recorder } from '../../../runtime/recorder.ts'
import type { Tensor } from '../../../runtime/tensor.ts'
import { createScheduler } from '../../../schedulers/index.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run } from '../run.ts'

export interface PixArtCall {
  readonly prompts: string[]
  /** One for each prompt. */
  readonly negatives: string[]
  readonly height: number
  readonly width: number
  readonly steps: number
  /** Above 1: cases without guidance have no negative half. */
  readonly guidance: number
  readonly textLength: number
  readonly latents: { readonly shape: readonly number[]; readonly data: Float32Array }
}

/** What a pipeline computes on its way, all with padding to the full text length, as diffusers has it. */
export interface PixArtTrace {
  readonly tokens: TokenBatch
  readonly negativeTokens: TokenBatch
  readonly embeds: HostArray
  readonly negativeEmbeds: HostArray
  readonly timesteps: readonly number[]
  readonly sigmas: readonly number[]
  /** The network's output of the first step, the negative half first, with learned variances. */
  readonly firstOutput: HostArray
  readonly steps: readonly Float32Array[]
  readonly latents: Float32Array
  /** [pictures, 3, height, width], 0 to 1. */
  readonly image: { readonly shape: number[]; readonly data: Float32Array }
}

/** Runs the pipeline, and beside it the parts whose results it keeps to itself. */
export async function tracePixArt(run: Run, pipe: Pipeline, call: PixArtCall): Promise<PixArtTrace> {
  const { vae, schedulerConfig } = pipe.components
  const { tokenizer } = pipe.components.tokenizers
  const textEncoder = networkOf(pipe.components, 'text_encoder', 'T5EncoderModel')
  const transformer = networkOf(pipe.components, 'transformer', 'PixArtTransformer2DModel')
  const { prompts, negatives, height, width, guidance, textLength } = call
  const clean = (texts: string[]) => texts.map((text) => text.toLowerCase().trim())
  const tokens = tokenize(tokenizer, clean(prompts), textLength, 'prompt')
  const negativeTokens = tokenize(tokenizer, clean(negatives), textLength, 'negative prompt')
  const both = joinBatches(negativeTokens, tokens)
  const scheduler = createScheduler(schedulerConfig)
  scheduler.setTimesteps(call.steps)

  const { embeds, firstOutput } = await run.compute(async (g) => {
    const captions = await g.scope(() => encodeWithT5(g, textEncoder, both))
    const output = await g.scope(async () =>
      predictPixArt(g, transformer, {
        latents: upload(g, call.latents),
        timestep: scheduler.timesteps[0],
        text: await encodeCaptions(g, transformer, captions, both.mask),
        batch: both.batch,
        channels: transformer.config.outChannels,
        size: { height, width },
      }),
    )
    return { embeds: await hostArray(g, captions), firstOutput: await hostArray(g, output) }
  })

  const steps: Float32Array[] = []
  const drawn = await pipe(prompts, {
    height,
    width,
    negativePrompt: negatives,
    numInferenceSteps: call.steps,
    guidanceScale: guidance,
    maxSequenceLength: textLength,
    useResolutionBinning: false,
    latents: call.latents.data,
    outputType: 'latent',
    onStep: async (info) => {
      steps.push(await info.latents())
    },
  })
  const latents = drawn.latents.data
  const decoded = await run.computeTensor((g) => decodeLatents(g, vae, upload(g, { ...call.latents, data: latents })))

  const half = embeds.data.length / 2
  const shape = [prompts.length, ...embeds.shape.slice(1)]
  return {
    tokens,
    negativeTokens,
    embeds: { shape, data: embeds.data.subarray(half) },
    negativeEmbeds: { shape, data: embeds.data.subarray(0, half) },
    timesteps: scheduler.timesteps,
    sigmas: scheduler.sigmas,
    firstOutput,
    steps,
    latents,
    image: { shape: [...decoded.shape], data: Float32Array.from(decoded.data, toUnit) },
  }
}

const upload = (g: Recorder, { shape, data }: PixArtCall['latents']): Tensor => g.upload(data, shape, 'latents')

const hostArray = async (g: Recorder, tensor: Tensor) => ({ shape: tensor.shape, data: await g.read(tensor) })
