import type { Components, Family } from '../../../pipelines/family.ts'
import type { PipelineOptions } from '../../../pipelines/options.ts'
import { sizeDrawn } from '../../../pipelines/picture_size.ts'
import { batchTexts, type Text, textsOf } from '../../../pipelines/picture_texts.ts'
import { onOneDevice } from '../../../runtime/execution.ts'
import { gather, unpatchify } from '../../../runtime/ops/index.ts'
import { createScheduler } from '../../../schedulers/index.ts'
import type { Scheduler } from '../../../schedulers/scheduler.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run } from '../run.ts'

/** What a pipeline computes on its way and keeps to itself. */
export interface FirstPass {
  readonly prompts: readonly Text[]
  /** By the names of diffusers' encode_prompt; those of negative prompts where there are some. */
  readonly embeds: Readonly<Record<string, HostArray>>
  readonly scheduler: Scheduler
  readonly latents: HostArray
  /**
   * The transformer's output [pictures · branches, channels, height, width] of the first step; FLUX calls it for the prompts
   * alone first.
   */
  readonly output: HostArray
}

/** What the encoders give, by the names of diffusers' encode_prompt, where they are others than SD3's and FLUX's. */
const EMBEDS: Readonly<Record<string, readonly string[]>> = {
  HunyuanDiTPipeline: ['prompt_embeds', 'prompt_embeds_2'],
}

/** Encodes the texts and calls the transformer once, as the pipeline would. */
export async function firstPass(
  run: Run,
  family: Family,
  components: Components,
  prompt: string[],
  options: PipelineOptions,
): Promise<FirstPass> {
  const { transformerFacts: facts, vae, schedulerConfig } = components
  const size = sizeDrawn(options, { ...facts, scale: vae.config.scale, binning: family.binning })
  const tokens = size.grid.rows * size.grid.columns
  const scheduler = createScheduler(schedulerConfig)
  family.setTimesteps(scheduler, { steps: options.numInferenceSteps!, eta: 0, tokens, config: schedulerConfig })
  const pictures = textsOf(prompt, options)
  const { guided } = family.guidance(options)
  const together = guided && family.guidedByScale
  const { texts } = batchTexts(pictures, { guided, branches: { first: 0, end: 2 } })
  const { rows } = batchTexts(pictures, { guided, branches: { first: together ? 0 : 1, end: 2 } })
  const read = family.readTexts(components, texts, options)
  const latents = {
    shape: [pictures.length, facts.channels, size.height / vae.config.scale, size.width / vae.config.scale],
    data: options.latents!,
  }
  return run.compute(async (g) => {
    const encoded = await read.encode(g)
    const embeds: Record<string, HostArray> = {}
    for (const [k, name] of (EMBEDS[components.className] ?? ['prompt_embeds', 'pooled_prompt_embeds']).entries()) {
      const { shape } = encoded[k]
      const data = await g.read(encoded[k])
      const negatives = guided ? texts.filter(({ negative }) => negative).length : 0
      const row = data.length / texts.length
      if (guided)
        embeds[`negative_${name}`] = { shape: shape.with(0, negatives), data: data.subarray(0, negatives * row) }
      embeds[name] = { shape: shape.with(0, texts.length - negatives), data: data.subarray(negatives * row) }
    }
    const ids = g.upload(rows, [rows.length], 'rows')
    const execution = onOneDevice(facts.blocks, tokens)
    const batch = encoded.map((of) => gather(g, of, ids))
    const { network } = await read.network(g, { encoded: batch, rows, blocks: execution.blocks, size })
    const inputs = {
      latents: g.upload(latents.data, latents.shape, 'latents'),
      timestep: scheduler.timesteps[0],
      step: 0,
    }
    const [patches] = await network.forward(g, inputs, execution)
    // Pipelines leave out learned variances.
    const channels = patches.dim(-1) / facts.patch ** 2
    const output =
      channels > facts.channels
        ? unpatchify(g, patches, { patch: facts.patch, channels, height: latents.shape[2], width: latents.shape[3] })
        : network.unpatchify(g, patches, size.grid.rows)
    const prompts = pictures.map((picture) => picture.prompt)
    return { prompts, embeds, scheduler, latents, output: { shape: output.shape, data: await g.read(output) } }
  })
}
