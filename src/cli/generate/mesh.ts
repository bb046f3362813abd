import { ON_ONE_DEVICE, type ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { readParallelArgs } from '../../parallel/config/read_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import type { TeamKind } from '../../pipelines/team/start_team.ts'
import { type ParsedArgs, UsageError } from '../command.ts'

/** Whether ranks draw together, and how. */
export interface Mesh {
  /** None where one device draws. */
  readonly config: ParallelConfig | undefined
  readonly devices: number | undefined
  readonly workers: TeamKind | undefined
}

/** @throws UsageError where nothing says how ranks are to divide the work */
export function meshOf(args: ParsedArgs): Mesh {
  const { config, devices, workers } = readParallelArgs(args)
  if (!config) {
    throw new UsageError(
      `--devices ${args.text('devices')} alone says not how to divide the work`,
      'Give degrees that multiply to it, such as --use_cfg_parallel --ulysses_degree 2; docs/xdit.md lists them.',
    )
  }
  const plain = sizeOf(config.degrees) === 1 && config.numPipelinePatch === ON_ONE_DEVICE.numPipelinePatch
  return { config: plain && workers === undefined ? undefined : config, devices, workers }
}
