import { readJson } from '../../../models/component.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../../parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../../parallel/mesh/mesh.ts'
import { FAMILIES } from '../../../pipelines/families/index.ts'
import { openModel } from '../../../pipelines/open_model.ts'
import { pipelineClass } from '../../../pipelines/pipeline_class.ts'
import { DitError } from '../../../runtime/errors.ts'
import type { Source } from '../../../runtime/weights/source.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'
import { packed } from './packed.ts'
import { compareSteps } from './stacked.ts'
import { textAtStageBorders } from './stale_kv_border.ts'
import { readStaleCall, staleNumber } from './stale_kv_call.ts'
import { drawOnRanks } from './stale_kv_ranks.ts'

/** Stages of PipeFusion, whose number changes no picture: enough for patches and keys to cross between ranks. */
const STAGES = 2

/** Patches that attend to keys and values of the step before: PipeFusion and DistriFusion, from prompts to latents. */
export const staleKvRunner: Runner = {
  async run(run) {
    const { class: className, method } = run.case.meta
    const isKnown = Object.hasOwn(CONFIGS, String(method)) && Object.hasOwn(FAMILIES, String(className))
    if (!isKnown) throw notBuilt(`${method} of ${className}`)
    const call = await readStaleCall(run)
    const model = await openModel(run.case.model ?? (await import('./stale_kv_model.ts')).modelFolder(run.case))
    try {
      const config = await CONFIGS[String(method)](run, model)
      const rule = stageBorders(run) && textAtStageBorders
      const drawn = await drawOnRanks(await run.networkDevice(), model, config, call, rule)
      const asStored = (of: HostArray) => (call.isPacked ? packed(of) : of)
      await compareSteps(
        run,
        'output.step_latents',
        drawn.steps.map((step) => asStored(step).data),
      )
      await run.compare('output.latents', asStored(drawn.latents), { range: 'own' })
    } finally {
      await model.close()
    }
  },
}

const CONFIGS: Readonly<Record<string, (run: Run, model: Source) => Promise<ParallelConfig>>> = {
  async pipefusion(run, model) {
    const { family } = await pipelineClass(model)
    const { blocks } = family.facts(await readJson(model, 'transformer/config.json'))
    const first = stageBorders(run)
    const stages = first?.length ?? Math.min(STAGES, blocks)
    return {
      ...ON_ONE_DEVICE,
      degrees: { ...ONE_RANK, pipefusion: stages },
      attnLayerNumForPp: first?.map((block, stage) => (first[stage + 1] ?? blocks) - block),
      numPipelinePatch: staleNumber(run, 'patches'),
      warmupSteps: staleNumber(run, 'warmup'),
    }
  },
  distrifusion: async (run) => ({
    ...ON_ONE_DEVICE,
    degrees: { ...ONE_RANK, ulysses: staleNumber(run, 'ranks') },
    warmupSteps: staleNumber(run, 'warmup'),
    distrifusion: true,
  }),
}

/** The first block of each stage, for runs whose text is handed on at the borders of stages alone. @throws DitError 'corrupt' */
function stageBorders({ case: { name }, meta }: Run): readonly number[] | undefined {
  const first = meta.first_block_of_each_stage
  if (first === undefined || (Array.isArray(first) && first[0] === 0)) return first
  const given = JSON.stringify(first)
  throw new DitError('corrupt', `${name}: first_block_of_each_stage is ${given}, expected a list of blocks from 0 on`)
}
