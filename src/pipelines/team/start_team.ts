import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { currentRuntime, type PlatformOptions } from '../../runtime/platform/platform.ts'
import { checkOnDeviceLoss, type OnDeviceLoss } from '../resume/resumed.ts'
import { startLocalTeam } from './local_team.ts'
import type { KeptMesh } from './mesh_keeper.ts'
import { rankCards } from './rank_cards.ts'
import { smallerMesh } from './smaller_mesh.ts'
import { startSurvivingTeam } from './surviving_team.ts'
import type { Team } from './team.ts'
import { startWorkerTeam, type WorkerTeamOptions } from './worker_team.ts'

/** Where ranks run: each in a process of its own (Node), in a thread (a Worker elsewhere), or all on one device in this one. */
export type TeamKind = 'processes' | 'threads' | 'one device'

export interface StartTeamOptions extends Omit<WorkerTeamOptions, 'ranks'> {
  /** Default: processes in Node, threads elsewhere. */
  kind?: TeamKind
  /** The cards that ranks open, unless `cards` tells each its own: all of the machine, those of a name, or one. */
  platform?: PlatformOptions
  /**
   * When a rank ends, hangs, or loses its device: 'resume' starts ranks again, as many as there were or fewer, and calls go on
   * after the last step that was done; 'fail' lets them fail. Default 'resume'.
   */
  onDeviceLoss?: OnDeviceLoss
  /** Told what people should know: which ranks share a device. */
  onNote?: (line: string) => void
}

/** Starts the ranks of a mesh, and loads the model's parts there. @throws DitError as DiffusionPipeline.fromPretrained */
export async function startTeam(
  model: string,
  config: ParallelConfig,
  { kind, platform, onDeviceLoss, onNote, cards: given, ...options }: StartTeamOptions = {},
): Promise<Team> {
  const size = sizeOf(config.degrees)
  if (kind === 'one device') {
    onNote?.(`${size} ranks on one device: it draws what ${size} would, and no faster`)
  }
  const ranks = kind === 'one device' ? undefined : (kind ?? (currentRuntime() === 'node' ? 'processes' : 'threads'))
  const start = ({ config, cards }: KeptMesh) =>
    ranks ? startWorkerTeam(model, config, { ...options, ranks, cards }) : startLocalTeam(model, config, options)
  const resumes = checkOnDeviceLoss(onDeviceLoss) === 'resume'
  const cards = ranks && (given ?? (await rankCards(size, platform, onNote)))
  if (!resumes) return start({ config, cards })
  return startSurvivingTeam(
    { config, cards },
    {
      start,
      smaller: (before, left, request) => smallerMesh(before, left, { ...options, ...request, model }),
    },
  )
}
