import { checkParallelConfig } from '../../parallel/config/check.ts'
import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { LocalMesh } from '../../parallel/crew/local_ranks.ts'
import { Device } from '../../runtime/device.ts'
import { openPlatform } from '../../runtime/platform/platform.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { DiffusionPipeline, type FromPretrainedOptions, type Pipeline } from '../diffusion_pipeline.ts'
import { openModel } from '../open_model.ts'
import type { PipelineOutput } from '../options.ts'
import { onAllRanks } from './all_ranks.ts'
import { seeded } from './seeded.ts'
import { joinedOutput, type ResumableTeam, type ResumableTeamCall } from './team.ts'

/**
 * All ranks on one device and in this thread: the same picture as several devices would draw, at no greater speed. For
 * trying out meshes, and for one card that holds a model only in parts.
 *
 * @throws DitError as DiffusionPipeline.fromPretrained, and 'bad-argument' for a mesh that the model cannot be divided by
 */
export async function startLocalTeam(
  model: string | Source,
  config: ParallelConfig,
  { trace, ...options }: Omit<FromPretrainedOptions, 'ranks'> & { trace?: boolean } = {},
): Promise<ResumableTeam> {
  checkParallelConfig(config)
  const source = typeof model === 'string' ? await openModel(model, options) : model
  const device =
    options.device ?? (await Device.open(await openPlatform(), { memory: options.memory, tier: options.tier }))
  const mesh = new LocalMesh(device, config)
  if (trace) mesh.trace()
  const pipes: Pipeline[] = []
  const close = async () => {
    for (const pipe of pipes) pipe.dispose()
    await mesh.close()
    if (device !== options.device) device.close()
    if (typeof model === 'string') await source.close()
  }
  try {
    for (const rank of mesh.ranks) {
      pipes.push(await DiffusionPipeline.fromPretrained(source, { ...options, device: rank.device, ranks: rank.ranks }))
    }
  } catch (error) {
    await close()
    throw error
  } finally {
    // What is read later opens it again.
    if (typeof model === 'string') await source.close()
  }

  async function draw(prompt: string | string[], options: ResumableTeamCall): Promise<PipelineOutput> {
    const { onStep, ...call } = seeded(options)
    try {
      const outputs = await onAllRanks(
        pipes.length,
        (rank) => pipes[rank](prompt, { ...call, onStep: rank < mesh.crewSize ? onStep : undefined }),
        { failed: (error) => mesh.fail(error) },
      )
      return joinedOutput(outputs)
    } catch (error) {
      mesh.renew()
      throw error
    }
  }

  let busy: Promise<unknown> = Promise.resolve()
  return {
    size: pipes.length,
    pids: pipes.map(() => undefined),
    deviceNames: pipes.map(({ device: own }) => own.name),
    run(prompt, call = {}) {
      const drawn = busy.then(() => draw(prompt, call))
      busy = drawn.catch(() => {})
      return drawn
    },
    spans: async () => mesh.ranks.flatMap(({ ranks }) => ranks.timeline?.spans ?? []),
    sent: async () => mesh.ranks.map(({ ranks }) => new Map(ranks.fabric?.sent)),
    close: () => busy.then(close),
    end: () => busy.then(close),
  }
}
