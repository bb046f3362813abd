import { DiffusionPipeline } from '../../../pipelines/diffusion_pipeline.ts'
import { perPrompt } from '../../../pipelines/options.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt, Unsupported } from '../unsupported.ts'
import { channelsLast } from './channels_last.ts'
import { type PixArtCall, type PixArtTrace, tracePixArt } from './pixart_trace.ts'
import { compareSteps } from './stacked.ts'

/** PixArtSigmaPipeline and PixArtAlphaPipeline, from prompts to pictures. */
export const pixartPipeline: Runner = {
  async run(run) {
    const call = await readCall(run)
    const pipe = await DiffusionPipeline.fromPretrained(run.source, { device: await run.networkDevice() })
    try {
      await compareTrace(run, await tracePixArt(run, pipe, call), call)
    } finally {
      pipe.dispose()
    }
  },
}

async function readCall(run: Run): Promise<PixArtCall> {
  if (run.meta.call?.method !== '__call__') throw notBuilt(`${run.case.meta.class}.${run.meta.call?.method}`)
  const value = <T>(name: string) => run.argument(name) as T
  if (value('clean_caption') !== false) throw notBuilt('clean_caption')
  if (value('use_resolution_binning') !== false) throw new Unsupported('cases with resolution binning are not read yet')
  const guidance = value<number>('guidance_scale')
  if (guidance <= 1) throw new Unsupported('cases without guidance are not read yet')
  const prompts = [value<string | string[]>('prompt')].flat()
  const { shape } = await run.tensor('latents')
  return {
    prompts,
    negatives: perPrompt('negative_prompt', value('negative_prompt'), prompts.length),
    height: value('height'),
    width: value('width'),
    steps: value('num_inference_steps'),
    guidance,
    textLength: value('max_sequence_length'),
    latents: { shape, data: await (await run.io()).floats(value('latents')) },
  }
}

async function compareTrace(run: Run, trace: PixArtTrace, { latents }: PixArtCall): Promise<void> {
  await run.compareExactly('inter.input_ids', trace.tokens.ids)
  await run.compareExactly('inter.prompt_attention_mask', trace.tokens.mask)
  await run.compareExactly('inter.negative_prompt_attention_mask', trace.negativeTokens.mask)
  await run.compare('inter.prompt_embeds', trace.embeds, { kind: 'prompt_embeds' })
  await run.compare('inter.negative_prompt_embeds', trace.negativeEmbeds, { kind: 'prompt_embeds' })
  await run.compareExactly('inter.timesteps', trace.timesteps)
  await run.compare('inter.sigmas', { shape: [trace.sigmas.length], data: trace.sigmas })
  await run.compare('inter.transformer_output_step0', trace.firstOutput)
  await compareSteps(run, 'inter.step_latents', trace.steps, 'latents')
  await run.compare('output.latents', { shape: latents.shape, data: trace.latents }, { kind: 'latents', range: 'own' })
  const image = channelsLast(trace.image.shape, trace.image.data)
  await run.compare('output.image', image, { kind: 'image', range: 1 })
}
