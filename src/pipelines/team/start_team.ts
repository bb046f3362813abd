import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { currentRuntime, type PlatformOptions } from '../../runtime/platform/platform.ts'
import { startLocalTeam } from './local_team.ts'
import { rankCards } from './rank_cards.ts'
import type { Team } from './team.ts'
import { startWorkerTeam, type WorkerTeamOptions } from './worker_team.ts'

/** Where ranks run: each in a process of its own (Node), in a thread (a Worker elsewhere), or all on one device in this one. */
export type TeamKind = 'processes' | 'threads' | 'one device'

export interface StartTeamOptions extends Omit<WorkerTeamOptions, 'ranks'> {
  /** Default: processes in Node, threads elsewhere. */
  kind?: TeamKind
  /** The cards that ranks open, unless `cards` tells each its own: all of the machine, those of a name, or one. */
  platform?: PlatformOptions
  /** Told what people should know: which ranks share a device. */
  onNote?: (line: string) => void
}

/** Starts the ranks of a mesh, and loads the model's parts there. @throws DitError as DiffusionPipeline.fromPretrained */
export async function startTeam(
  model: string,
  config: ParallelConfig,
  { kind, platform, onNote, cards: given, ...options }: StartTeamOptions = {},
): Promise<Team> {
  const size = sizeOf(config.degrees)
  if (kind === 'one device') {
    onNote?.(`${size} ranks on one device: it draws what ${size} would, and no faster`)
    return startLocalTeam(model, config, options)
  }
  const ranks = kind ?? (currentRuntime() === 'node' ? 'processes' : 'threads')
  const cards = given ?? (await rankCards(size, platform, onNote))
  return startWorkerTeam(model, config, { ...options, ranks, cards })
}
