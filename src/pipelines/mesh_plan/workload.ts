import { NETWORKS, readJson } from '../../models/component.ts'
import type { Workload } from '../../parallel/cost/bytes.ts'
import { encoderShareOf, weightShareOf } from '../../parallel/crew/stages.ts'
import type { CandidateFacts } from '../../parallel/planner/candidates.ts'
import type { MemorySizes } from '../../parallel/planner/memory.ts'
import { DitError } from '../../runtime/errors.ts'
import type { KernelTarget } from '../../runtime/kernel.ts'
import { storedAs } from '../../runtime/kernels.ts'
import { BYTES_PER_ELEMENT } from '../../runtime/tensor.ts'
import { blockLayouts } from '../../runtime/weights/block_layout.ts'
import { needed } from '../../runtime/weights/share.ts'
import { shareBytes } from '../../runtime/weights/share_bytes.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { createScheduler } from '../../schedulers/index.ts'
import type { MemoryPlan } from '../memory_plan/plan.ts'
import { type ModelFacts, modelFacts } from '../model_facts.ts'
import type { PipelineOptions } from '../options.ts'
import { sizeDrawn } from '../picture_size.ts'
import { decodes } from '../shared_decoding.ts'

/** What a planner has to know of a request. */
export interface PlannedRequest {
  readonly facts: CandidateFacts
  readonly workload: Workload
  readonly sizes: MemorySizes
  readonly model: ModelFacts
  /** Pixels. */
  readonly height: number
  readonly width: number
}

/** @param alone what one device needs for the same */
export async function plannedRequest(
  source: Source,
  prompts: number,
  call: Omit<PipelineOptions, 'onStep'>,
  target: KernelTarget,
  alone: Pick<MemoryPlan, 'weights' | 'phases'>,
): Promise<PlannedRequest> {
  const model = await modelFacts(source)
  if (!/^PixArt/.test(model.className)) {
    throw new DitError(
      'unsupported',
      `the time that ranks take with ${model.className} cannot be predicted yet`,
      'Say how they divide the work, such as --ulysses_degree 2.',
    )
  }
  const { PixArtTransformer2DModel: transformer, T5EncoderModel: encoder } = NETWORKS
  const config = transformer.config(await readJson(source, 'transformer/config.json'))
  const text = encoder.parameters(encoder.config(await readJson(source, 'text_encoder/config.json')))
  const parameters = transformer.parameters(config)
  const { grid, height, width } = sizeDrawn(call, model)
  const { guided, scale: guidanceScale } = model.family.guidance(call)
  const scheduler = createScheduler(model.schedulerConfig)
  scheduler.setTimesteps(call.numInferenceSteps ?? model.family.defaults.numInferenceSteps)
  const steps = scheduler.timesteps.length
  const pictures = prompts * (call.numImagesPerPrompt ?? 1)
  const hs = config.width
  const workload: Workload = {
    blocks: config.layers,
    heads: config.heads,
    headDim: config.headDim,
    sums: 3,
    outputs: config.patch ** 2 * config.outChannels,
    grid,
    pictures,
    guided,
    steps,
    latents: { channels: config.inChannels, patch: config.patch },
    // Self-attention 4 hs², queries and output of cross-attention 2 hs², feed-forward 8 hs²; a product of sums is 2 FLOP.
    compute: { perToken: 2 * 14 * hs * hs, perPair: 4 * hs },
    weights: {
      blocks: (ranks) => {
        const { tensor } = weightShareOf(ranks, config.layers)
        const wanted = [...parameters.all].filter(([, parameter]) => needed(parameter, { tensor }))
        return blockLayouts(wanted, { tensor }, target).map(({ bytes }) => bytes)
      },
      passesOfText: 1,
    },
    elementBytes: {
      stream: BYTES_PER_ELEMENT[storedAs(target, 'stream')],
      operand: BYTES_PER_ELEMENT[storedAs(target, 'operand')],
    },
  }
  const used = (phase: string) => alone.phases[phase]?.used ?? 0
  return {
    model,
    height,
    width,
    workload,
    facts: {
      blocks: config.layers,
      heads: config.heads,
      ...grid,
      guided: true,
      guidanceScale,
      tiling: call.enableTiling ?? false,
      pictures,
      steps,
    },
    sizes: {
      transformer: (ranks) => shareBytes(parameters, weightShareOf(ranks, config.layers), target),
      textEncoder: (ranks) => shareBytes(text, encoderShareOf(ranks), target),
      autoencoder: (ranks) => (decodes(ranks) ? alone.weights.vae : 0),
      phases: { text: used('text'), step: used('step'), decode: used('decode') },
    },
  }
}
