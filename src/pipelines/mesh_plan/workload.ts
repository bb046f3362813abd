import { NETWORKS, type NetworkClass, readJson } from '../../models/component.ts'
import type { Workload } from '../../parallel/cost/bytes.ts'
import { total } from '../../parallel/cost/workload.ts'
import type { Grid } from '../../parallel/crew/pieces.ts'
import type { Ranks } from '../../parallel/crew/ranks.ts'
import { encoderShareOf, weightShareOf } from '../../parallel/crew/stages.ts'
import type { CandidateFacts } from '../../parallel/planner/candidates.ts'
import type { MemorySizes } from '../../parallel/planner/memory.ts'
import type { KernelTarget } from '../../runtime/kernel.ts'
import { storedAs } from '../../runtime/kernels.ts'
import { BYTES_PER_ELEMENT } from '../../runtime/tensor.ts'
import { blockLayouts } from '../../runtime/weights/block_layout.ts'
import type { Parameters } from '../../runtime/weights/parameters.ts'
import { quantizedParameters } from '../../runtime/weights/quantized.ts'
import { needed, type WeightShare } from '../../runtime/weights/share.ts'
import { shareBytes } from '../../runtime/weights/share_bytes.ts'
import { joinPath, type Source } from '../../runtime/weights/source.ts'
import { createScheduler } from '../../schedulers/index.ts'
import { componentFormats, type WeightFormats } from '../component_formats.ts'
import { branches } from '../divided_request.ts'
import { leaveOutSteps } from '../image_to_image.ts'
import { withImageDefaults } from '../input_images.ts'
import type { MemoryPlan } from '../memory_plan/plan.ts'
import { type ModelFacts, modelFacts } from '../model_facts.ts'
import type { PipelineOptions } from '../options.ts'
import { sizeDrawn } from '../picture_size.ts'
import { pipelineClass } from '../pipeline_class.ts'
import { decodes } from '../shared_decoding.ts'
import { networkWork } from './network_work.ts'

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
  weights?: WeightFormats,
): Promise<PlannedRequest> {
  const { networks, tokenizers } = await pipelineClass(source)
  const model = await modelFacts(source)
  const { family, blocks, heads, headDim, patch, channels } = model
  const { grid, height, width } = sizeDrawn(call, model)
  const work = await networkWork(source, model, tokenizers, call)
  const { transformer, vae: _, ...encoders } = await parametersOf(source, networks, weights)
  const steps = stepsOf(model, withImageDefaults(model.family, call), grid)
  const pictures = prompts * (call.numImagesPerPrompt ?? 1)
  const workload: Workload = {
    ...work,
    heads,
    headDim,
    grid,
    pictures,
    guided: family.guidance(call).guided,
    steps,
    latents: { channels, patch },
    weights: (ranks) => {
      const { tensor } = weightShareOf(ranks, blocks)
      const wanted = [...transformer.all].filter(([, parameter]) => needed(parameter, { tensor }))
      return blockLayouts(wanted, { tensor }, target).map(({ bytes }) => bytes)
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
      blocks,
      heads,
      ...grid,
      ...branches(model, call),
      tiling: call.enableTiling ?? false,
      pictures,
      steps,
    },
    sizes: {
      transformer: (ranks) => shareBytes(transformer, weightShareOf(ranks, blocks), target),
      textEncoder: (ranks) =>
        total(
          Object.entries(encoders).map(([folder, one]) =>
            shareBytes(one, textShareOf(ranks, networks[folder]), target),
          ),
        ),
      autoencoder: (ranks) => (decodes(ranks) ? alone.weights.vae : 0),
      phases: { text: used('text'), step: used('step'), decode: used('decode') },
    },
  }
}

/** Denoising steps; schedulers may make other ones than they are asked for. */
function stepsOf({ family, schedulerConfig }: ModelFacts, call: PipelineOptions, grid: Grid): number {
  const { numInferenceSteps, eta = 0 } = call
  const scheduler = createScheduler(schedulerConfig)
  const steps = numInferenceSteps ?? family.defaults.numInferenceSteps
  family.setTimesteps(scheduler, { steps, eta, tokens: grid.rows * grid.columns, config: schedulerConfig })
  leaveOutSteps(scheduler, steps, call)
  return scheduler.timesteps.length
}

/** The weights of each network, by its folder. */
async function parametersOf(
  source: Source,
  networks: Readonly<Record<string, NetworkClass>>,
  weights: WeightFormats | undefined,
): Promise<Record<string, Parameters>> {
  const formats = componentFormats(weights, networks)
  const entries = Object.entries(networks).map(async ([folder, name]) => {
    const network = NETWORKS[name] as unknown as {
      config(json: unknown): unknown
      parameters(config: unknown): Parameters
    }
    const config = network.config(await readJson(source, joinPath(folder, 'config.json')))
    const parameters = network.parameters(config)
    const format = formats[folder]
    return [folder, format ? quantizedParameters(parameters, format, folder) : parameters] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** --shard_t5_encoder divides T5 alone: the others are small. */
const textShareOf = (ranks: Ranks, network: NetworkClass): WeightShare =>
  network === 'T5EncoderModel' ? encoderShareOf(ranks) : {}
