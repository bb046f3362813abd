import type { Rooms } from '../../cluster/rooms.ts'
import { configFlags } from '../../parallel/config/config_flags.ts'
import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { readParallelArgs } from '../../parallel/config/read_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { checkDividedRequest } from '../../pipelines/divided_request.ts'
import type { PipelineOptions } from '../../pipelines/options.ts'
import { type CliIo, type ParsedArgs, UsageError } from '../command.ts'
import type { FoundModel } from '../node/cluster_model.ts'
import { VERSION } from '../package_info.ts'
import type { Drawing } from './drawing.ts'
import { duration } from './progress.ts'

/** The ranks that machines lend for a model. */
const lendersOf = ({ nodes }: FoundModel) =>
  nodes.flatMap(({ id, lends }) => (lends ? [{ id, ranks: lends.ranks }] : []))

/** The mesh that the command line asks for, of ranks on several machines; none where jobs are meant. @throws UsageError, DitError */
export async function hostsMesh(
  args: ParsedArgs,
  model: FoundModel,
  call: PipelineOptions,
): Promise<ParallelConfig | undefined> {
  const { config, devices, choose } = readParallelArgs(args)
  if (choose) {
    throw new UsageError(
      '--devices alone does not say how ranks of several machines divide the work',
      'Give degrees that multiply to it, such as --pipefusion_parallel_degree 2 --ulysses_degree 2.',
    )
  }
  if (sizeOf(config.degrees) === 1) return undefined
  checkDividedRequest(config, model.facts, call, typeof devices === 'number' ? devices : undefined)
  return config
}

/** Ranks of several machines, all for one request. */
export async function drawOnHosts(
  rooms: Rooms,
  model: FoundModel,
  config: ParallelConfig,
  io: CliIo,
): Promise<Drawing> {
  const { placeRanks } = await import('../../cluster/mesh/placement.ts')
  const { startHostsTeam } = await import('../../cluster/mesh/hosts_team.ts')
  const placed = placeRanks(config, lendersOf(model))
  io.note(`mesh: ${configFlags(config)}`)
  io.status('starting ranks')
  const began = performance.now()
  const { digest, facts } = model
  const team = await startHostsTeam(rooms, { version: VERSION, digest, config, placed, signal: io.signal })
  for (const { id, first, end } of placed) {
    const which = end - first === 1 ? `rank ${first}` : `ranks ${first} to ${end - 1}`
    io.note(`${id}: ${which} on ${[...new Set(team.devices.get(id))].join(', ')}`)
  }
  io.note(`ranks are ready after ${duration((performance.now() - began) / 1000)}`)
  return {
    facts,
    device: undefined,
    draw: (prompts, call, onStep) =>
      team.draw(prompts, { ...call, onStep: (info) => onStep(info.step, info.steps, info) }),
    close: () => team.close(),
  }
}
