import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { startTeam } from '../../src/pipelines/team/start_team.ts'

/** Meshes of three ranks that wait for each other in different ways. */
export const MESHES: readonly ParallelConfig[] = [
  { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: 3 } },
  { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, pipefusion: 3 }, numPipelinePatch: 3 },
  { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ring: 3 } },
  { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: 3 }, shardDit: true },
]
const [RANKS, STEPS] = [3, 12]
/** The last steps before which the signal is sent: longer than the wait within a step. */
const LAST = 4

export interface Trial {
  readonly model: string
  readonly config: ParallelConfig
  readonly signal: 'SIGKILL' | 'SIGSTOP'
  /** 0 to 1, again and again. */
  readonly random: () => number
  /** The rank's built script, where it is not beside the team's. */
  readonly worker?: URL
}

export interface TrialResult {
  /** The rank that was killed, in which step of the picture, how many ms after its beginning. */
  readonly rank: number
  readonly step: number
  readonly after: number
  /** Seconds from the signal to the error, and what it says. */
  readonly seconds: number
  readonly message: string
  /** Processes that were still there a second after the error. */
  readonly left: readonly number[]
}

/** Starts a team, kills one of its ranks at a random moment of a picture, and waits for what the others make of it. */
export async function killTrial({ model, config, signal, random, worker }: Trial): Promise<TrialResult> {
  const [rank, step, after] = [
    Math.floor(random() * RANKS),
    1 + Math.floor(random() * (STEPS - LAST)),
    Math.floor(random() * 200),
  ]
  const team = await startTeam(model, config, { kind: 'processes', worker, tier: 'f32', onDeviceLoss: 'fail' })
  const pids = team.pids as number[]
  let killed = 0
  const kill = () => {
    killed = performance.now()
    process.kill(pids[rank], signal)
  }
  const call = { height: 64, width: 64, numInferenceSteps: STEPS, seed: 1, outputType: 'latent' } as const
  const error = await team
    .run('red apple', {
      ...call,
      onStep: ({ step: done }) => {
        if (done === step) setTimeout(kill, after)
      },
    })
    .then(
      () => undefined,
      (reason: unknown) => reason,
    )
  const seconds = (performance.now() - killed) / 1000
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const left = pids.filter(isThere)
  for (const pid of left) process.kill(pid, 'SIGKILL')
  await Promise.race([team.close(), new Promise((resolve) => setTimeout(resolve, 1000))])
  const message = error instanceof Error ? error.message : 'the picture was drawn all the same'
  return { rank, step, after, seconds, message, left }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
