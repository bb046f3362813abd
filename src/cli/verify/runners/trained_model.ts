import { DiffusionPipeline } from '../../../pipelines/diffusion_pipeline.ts'
import { DitError } from '../../../runtime/errors.ts'
import { TorchGenerator } from '../../../schedulers/torch_generator.ts'
import { absolute, relative, type Tolerance } from '../compare.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run, Runner } from '../run.ts'
import { type PixArtCall, tracePixArt } from './pixart_trace.ts'

/** A case's NAME.json. */
interface TrainedCall {
  readonly prompt: string
  readonly negative_prompt: string
  readonly seed: number
  readonly steps: number
  readonly guidance_scale: number
  readonly height: number
  readonly width: number
  readonly max_sequence_length: number
}

/** What the cases of a trained model are held to: their files state nothing. */
const EMBEDDINGS = relative(1e-4)
const NETWORK = relative(1e-4)
const LATENTS = relative(1e-3)
const IMAGE: Tolerance = { metric: 'psnr', limit: 50 } // dB
/** Normal random numbers, whose last bits depend on the CPU that drew them. */
const NOISE = absolute(2e-6)

/** Pictures of a trained pipeline: NAME.json and NAME.safetensors beside the checkpoint. */
export const trainedModelRunner: Runner = {
  async run(run) {
    const given = run.meta.call as unknown as TrainedCall
    const call = await readCall(run, given)
    const pipe = await DiffusionPipeline.fromPretrained(run.case.model!, { device: await run.networkDevice() })
    try {
      const trace = await tracePixArt(run, pipe, call)
      const noise = new TorchGenerator(given.seed).randn(call.latents.shape)
      await against(run, 'initial_latents', { shape: call.latents.shape, data: noise }, NOISE)
      await run.compareExactly('input_ids', trace.tokens.ids)
      await run.compareExactly('attention_mask', trace.tokens.mask)
      await run.compareExactly('negative_input_ids', trace.negativeTokens.ids)
      await run.compareExactly('negative_attention_mask', trace.negativeTokens.mask)
      await against(run, 'prompt_embeds', trace.embeds, EMBEDDINGS)
      await against(run, 'negative_prompt_embeds', trace.negativeEmbeds, EMBEDDINGS)
      await run.compareExactly('timesteps', trace.timesteps)
      await against(run, 'transformer_output_step_1', trace.firstOutput, NETWORK)
      for (const step of await storedSteps(run)) {
        const latents = { shape: call.latents.shape, data: trace.steps[step - 1] ?? [] }
        await against(run, `latents_step_${step}`, latents, LATENTS, 'own')
      }
      const [, ...picture] = trace.image.shape
      await against(run, 'image', { shape: picture, data: trace.image.data }, IMAGE, 1)
    } finally {
      pipe.dispose()
    }
  },
}

async function readCall(run: Run, given: TrainedCall): Promise<PixArtCall> {
  const numbers = ['seed', 'steps', 'guidance_scale', 'height', 'width', 'max_sequence_length'] as const
  const bad = numbers.find((key) => !Number.isFinite(given[key]))
  if (bad) throw new DitError('corrupt', `${run.case.name}.json has ${bad} = ${JSON.stringify(given[bad])}`)
  const io = await run.io()
  return {
    prompts: [given.prompt],
    negatives: [given.negative_prompt],
    height: given.height,
    width: given.width,
    steps: given.steps,
    guidance: given.guidance_scale,
    textLength: given.max_sequence_length,
    latents: { shape: (await io.tensor('initial_latents')).shape, data: await io.floats('initial_latents') },
  }
}

/** The steps, from 1, after which the case has the latents. */
async function storedSteps(run: Run): Promise<number[]> {
  const steps = (await run.io()).names.map((name) => /^latents_step_(\d+)$/.exec(name)?.[1])
  return steps.flatMap((step) => (step === undefined ? [] : [Number(step)])).sort((a, b) => a - b)
}

async function against(run: Run, name: string, actual: HostArray, tolerance: Tolerance, range?: number | 'own') {
  run.check(name, actual, await (await run.io()).tensor(name), tolerance, { range })
}
