import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import type { Resumed } from '../../src/pipelines/resume/resumed.ts'
import { startTeam } from '../../src/pipelines/team/start_team.ts'
import type { Team, TeamOptions } from '../../src/pipelines/team/team.ts'

/** What happens to a rank: its device is lost or full or hangs, its process ends or hangs. */
export const FAULTS = ['lost', 'fill', 'hang', 'kill', 'stop'] as const
export type Fault = (typeof FAULTS)[number]

const SIGNALS: Record<Fault, NodeJS.Signals> = {
  lost: 'SIGUSR2',
  fill: 'SIGUSR2',
  hang: 'SIGUSR2',
  kill: 'SIGKILL',
  stop: 'SIGSTOP',
}

/** What draws, and how a fault strikes it. */
export interface Victim {
  run(prompt: string, options: TeamOptions): Promise<PipelineOutput>
  strike(rank: number): void
  /** Ranks at present. */
  readonly size: number
  close(): Promise<void>
}

export const config = (degrees: Partial<ParallelConfig['degrees']>): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  degrees: { ...ONE_RANK, ...degrees },
})

/** Ranks in processes. @param worker test/faults/faulty_rank.mjs */
export async function victimTeam(model: string, mesh: ParallelConfig, fault: Fault, worker: URL): Promise<Victim> {
  process.env.FAULTY_RANK = `signal ${fault}`
  const team: Team = await startTeam(model, mesh, { kind: 'processes', worker, tier: 'f32' })
  return {
    run: (prompt, options) => team.run(prompt, options),
    strike: (rank) => void process.kill(team.pids[rank]!, SIGNALS[fault]),
    get size() {
      return team.size
    },
    close: () => team.close(),
  }
}

export interface Trial {
  readonly call: TeamOptions & { readonly numInferenceSteps: number }
  /** The step after which it strikes, so many ms later, and whom. */
  readonly fatal: number
  readonly after: number
  readonly rank: number
}

export interface TrialResult {
  readonly output: PipelineOutput
  /** Steps that were heard of. */
  readonly steps: readonly number[]
  /** That it went on after the blow. One that a rank had no more use for shows at the next picture's beginning. */
  readonly resumed: readonly Resumed[]
  /** Steps that were known to be done when it struck, and were done again. */
  readonly again: number
  /** Seconds from the blow to the next step, or to the end where none was left. */
  readonly seconds: number
}

export async function surviveTrial(victim: Victim, { call, fatal, after, rank }: Trial): Promise<TrialResult> {
  const [steps, resumed]: [number[], Resumed[]] = [[], []]
  let [struck, known, recovered] = [0, 0, 0]
  const strike = () => {
    struck = performance.now()
    known = steps.at(-1) ?? 0
    victim.strike(rank)
  }
  const output = await victim.run('red apple', {
    ...call,
    onStep: ({ step }) => {
      steps.push(step)
      if (resumed.length > 0) recovered ||= performance.now()
      if (step === fatal) setTimeout(strike, after)
    },
    onResume: (news) => {
      if (struck > 0) resumed.push(news)
    },
  })
  recovered ||= performance.now()
  const again = resumed.length > 0 ? Math.max(0, known - resumed[0].step) : 0
  return { output, steps, resumed, again, seconds: (recovered - struck) / 1000 }
}
