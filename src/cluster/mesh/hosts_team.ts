import { nuid } from '@nats-io/transport-node'
import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { randomSeed } from '../../pipelines/noise.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { typedFailure } from '../../pipelines/outcome.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import { DitError } from '../../runtime/errors.ts'
import { packJob, unpackOutput } from '../jobs/pack.ts'
import { joined } from '../joined.ts'
import type { Rooms } from '../rooms.ts'
import { BEAT, MISSED, type ToLeader, type ToLender } from './messages.ts'
import type { Placed } from './placement.ts'

export interface HostsTeamOptions {
  readonly version: string
  /** Of the model. */
  readonly digest: string
  readonly config: ParallelConfig
  readonly placed: readonly Placed[]
  readonly signal?: AbortSignal
}

/** Ranks on several machines that draw together, led from here. */
export interface HostsTeam {
  /** Devices, by the machines that have them. */
  readonly devices: ReadonlyMap<string, readonly string[]>
  draw(prompts: readonly string[], call: TeamOptions): Promise<PipelineOutput>
  close(): Promise<void>
}

/** Starts the ranks of a mesh where they were placed, and loads the model's parts there. @throws DitError */
export async function startHostsTeam(rooms: Rooms, options: HostsTeamOptions): Promise<HostsTeam> {
  const { version, digest, config, placed, signal } = options
  const { nc, names } = rooms
  const mesh = nuid.next()
  const heard = new Map(placed.map(({ id }) => [id, performance.now()]))
  /** What each machine answers to what it was told last. */
  let answers = new Map<string, ToLeader>()
  let onStep: TeamOptions['onStep']
  let settle: { resolve(): void; reject(error: unknown): void } | undefined
  let failure: unknown
  const fail = (error: unknown) => {
    failure ??= error
    settle?.reject(failure)
  }
  const answered = nc.subscribe(names.leader(mesh), {
    callback: (error, message) => {
      if (error) return
      const answer = message.json<ToLeader>()
      heard.set(answer.node, performance.now())
      if (answer.kind === 'failed') fail(typedFailure(answer.failure))
      if (answer.kind === 'step') void onStep?.({ ...answer, preview: async () => [] })
      if (answer.kind !== 'started' && answer.kind !== 'drawn') return
      answers.set(answer.node, answer)
      if (answers.size === placed.length) settle?.resolve()
    },
  })
  type Order = ToLender extends infer T ? (T extends unknown ? Omit<T, 'mesh'> : never) : never
  const tell = (id: string, order: Order) => nc.publish(names.lender(id), JSON.stringify({ mesh, ...order }))
  const timer = setInterval(() => {
    for (const { id } of placed) {
      tell(id, { kind: 'beat' })
      if (performance.now() - heard.get(id)! > BEAT * MISSED) fail(silent(id))
    }
  }, BEAT)
  const abort = () => fail(new DitError('aborted', 'the run was cancelled', undefined, { cause: signal?.reason }))
  signal?.addEventListener('abort', abort)

  /** Tells all machines something, and waits for what each answers. */
  async function all(order: (placed: Placed) => Order): Promise<ReadonlyMap<string, ToLeader>> {
    answers = new Map()
    await new Promise<void>((resolve, reject) => {
      settle = { resolve, reject }
      if (signal?.aborted) abort()
      if (failure) return reject(failure)
      for (const one of placed) tell(one.id, order(one))
    })
    return answers
  }

  async function close(): Promise<void> {
    clearInterval(timer)
    signal?.removeEventListener('abort', abort)
    for (const { id } of placed) tell(id, { kind: 'end' })
    answered.unsubscribe()
    await nc.flush().catch(() => {})
  }

  try {
    const started = await all(({ first, end }) => ({ kind: 'start', version, digest, config, first, end }))
    let count = 0
    return {
      devices: new Map([...started].map(([id, answer]) => [id, 'devices' in answer ? answer.devices : []])),
      async draw(prompts, { onStep: told, signal: _, ...given }) {
        onStep = told
        const call = { ...given, seed: given.seed ?? (given.latents ? undefined : randomSeed()) }
        const job = await packJob(rooms, { id: `${mesh}.${++count}`, version, prompts, previews: false }, call, signal)
        const drawn = await all(() => ({ kind: 'draw', job }))
        const outputs: PipelineOutput[] = []
        for (const { id } of placed) {
          const answer = drawn.get(id)
          if (answer?.kind === 'drawn' && answer.drawn) outputs.push(await unpackOutput(rooms, answer.drawn, signal))
        }
        return joined(outputs, call.seed)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const silent = (id: string): DitError =>
  new DitError(
    'device-lost',
    `node ${id} gives no sign of life`,
    'Look whether its process runs and reaches the NATS server, or draw with fewer machines.',
  )
