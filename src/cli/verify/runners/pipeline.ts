import { decodeLatents } from '../../../pipelines/decode_latents.ts'
import { DiffusionPipeline } from '../../../pipelines/diffusion_pipeline.ts'
import { FAMILIES } from '../../../pipelines/families/index.ts'
import { toUnit } from '../../../pipelines/image/image.ts'
import type { PipelineOptions } from '../../../pipelines/options.ts'
import { readTokens } from '../../../pipelines/text.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'
import { channelsLast } from './channels_last.ts'
import { firstPass } from './first_pass.ts'
import { packed, unpacked } from './packed.ts'
import { compareSteps } from './stacked.ts'

/** StableDiffusion3Pipeline, FluxPipeline and HunyuanDiTPipeline, from prompts to pictures. */
export const pipelineRunner: Runner = {
  async run(run) {
    if (run.meta.call?.method !== '__call__') throw notBuilt(`${run.case.meta.class}.${run.meta.call?.method}`)
    const { prompt, options, isPacked } = await readCall(run)
    const pipe = await DiffusionPipeline.fromPretrained(run.source, { device: await run.networkDevice() })
    try {
      const { components } = pipe
      const io = await run.io()
      const family = FAMILIES[pipe.className]
      const first = await firstPass(run, family, components, prompt, options)
      for (const [encoder, folder] of family.tokenizers.entries()) {
        const name = `inter.input_ids_${encoder + 1}`
        if (!io.has(name)) continue
        const length = (await io.tensor(name)).shape[1]
        const { ids, mask } = readTokens(components.tokenizers[folder], first.prompts, encoder as 0 | 1 | 2, length)
        await run.compareExactly(name, ids)
        const maskName = `inter.prompt_attention_mask${encoder > 0 ? `_${encoder + 1}` : ''}`
        if (io.has(maskName)) await run.compareExactly(maskName, mask)
      }
      for (const [name, actual] of Object.entries(first.embeds)) {
        if (io.has(`inter.${name}`)) await run.compare(`inter.${name}`, actual, { kind: 'prompt_embeds' })
      }
      const { timesteps, sigmas } = first.scheduler
      await run.compare('inter.timesteps', { shape: [timesteps.length], data: timesteps })
      if (io.has('inter.sigmas')) await run.compare('inter.sigmas', { shape: [sigmas.length], data: sigmas })
      if (io.has('inter.latents_unpacked')) await run.compareExactly('inter.latents_unpacked', first.latents.data)
      await run.compare('inter.transformer_output_step0', isPacked ? packed(first.output) : first.output)

      const steps: HostArray[] = []
      const shape = first.latents.shape
      const { latents } = await pipe(prompt, {
        ...options,
        outputType: 'latent',
        onStep: async (info) => void steps.push({ shape, data: await info.latents() }),
      })
      const asStored = (of: HostArray) => (isPacked ? packed(of) : of)
      await compareSteps(
        run,
        'inter.step_latents',
        steps.map((step) => asStored(step).data),
        'latents',
      )
      await run.compare('output.latents', asStored(latents), { kind: 'latents', range: 'own' })
      const decoded = await run.computeTensor((g) =>
        decodeLatents(g, components.vae, g.upload(latents.data, latents.shape, 'latents')),
      )
      const image = channelsLast([...decoded.shape], Float32Array.from(decoded.data, toUnit))
      await run.compare('output.image', image, { kind: 'image', range: 1 })
    } finally {
      pipe.dispose()
    }
  },
}

async function readCall(run: Run) {
  const value = <T>(name: string) => run.argument(name) as T
  const [height, width] = [value<number>('height'), value<number>('width')]
  const given = await run.floats('latents')
  const isPacked = given.shape.length === 3
  const latents = isPacked ? unpacked(given, height / 16, width / 16).data : given.data
  const options: PipelineOptions = {
    height,
    width,
    numInferenceSteps: value('num_inference_steps'),
    guidanceScale: value('guidance_scale'),
    trueCfgScale: value('true_cfg_scale'),
    maxSequenceLength: value('max_sequence_length'),
    negativePrompt: value('negative_prompt'),
    prompt2: value('prompt_2'),
    prompt3: value('prompt_3'),
    clipSkip: value('clip_skip'),
    guidanceRescale: value('guidance_rescale'),
    skipGuidanceLayers: value('skip_guidance_layers'),
    skipLayerGuidanceScale: value('skip_layer_guidance_scale'),
    skipLayerGuidanceStart: value('skip_layer_guidance_start'),
    skipLayerGuidanceStop: value('skip_layer_guidance_stop'),
    useResolutionBinning: value('use_resolution_binning'),
    latents,
    generator: await stepNoise(run),
  }
  return { prompt: [value<string | string[]>('prompt')].flat(), options, isPacked }
}

/** The noise that the case's scheduler drew in its steps, as its generator would give it. */
async function stepNoise(run: Run): Promise<PipelineOptions['generator']> {
  const io = await run.io()
  if (!io.has('input.step_noise')) return undefined
  const { data } = await io.tensor('input.step_noise')
  const all = Float32Array.from(data, Number)
  let drawn = 0
  return {
    randn(shape) {
      const count = shape.reduce((a, b) => a * b)
      drawn += count
      return all.slice(drawn - count, drawn)
    },
  }
}
