import { checkParallelConfig } from '../../parallel/config/check.ts'
import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { saysStuck } from '../../parallel/fabric/watchdog.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { DitError } from '../../runtime/errors.ts'
import { currentRuntime, type PlatformOptions } from '../../runtime/platform/platform.ts'
import { DitImage } from '../image/image.ts'
import { openModel } from '../open_model.ts'
import type { PipelineOutput } from '../options.ts'
import type { RankStep } from '../rank.ts'
import { type Rank, type RankOptions, startRank } from '../start_rank.ts'
import { named, onAllRanks, RanksHang } from './all_ranks.ts'
import { makeLinks } from './make_links.ts'
import { seeded } from './seeded.ts'
import { joinedOutput, type ResumableTeam, type ResumableTeamCall, type TeamOptions } from './team.ts'

export interface WorkerTeamOptions extends Omit<RankOptions, 'place' | 'process' | 'platform'> {
  /** Node: a process a rank, which one that dies leaves alone (default), or a thread a rank. Elsewhere a Worker a rank. */
  ranks?: 'processes' | 'threads'
  /** Note what each rank does when, which slows it down a little. */
  trace?: boolean
  /** Which adapter each rank opens, and in Node with which environment. */
  cards?: readonly { readonly platform?: PlatformOptions; readonly env?: Readonly<Record<string, string>> }[]
}

/** Ranks in workers. */
export interface WorkerTeam extends ResumableTeam {
  /** Divides the model anew, among as many ranks; devices stay open, and what they compiled stays compiled. */
  divide(config: ParallelConfig): Promise<void>
}

/** How long ranks may take to end after one of them failed, in ms; then they are ended. */
const ENDING = 2000
/** One that is stuck ends never, and the others with it. */
const patience = (error: unknown): number => (saysStuck(error) ? 0 : ENDING)

/**
 * A worker for each rank, with a device of its own.
 *
 * @param model a diffusers folder: its path (Node, Deno) or http(s) address
 * @throws DitError as DiffusionPipeline.fromPretrained, 'bad-argument' for a mesh that the model cannot be divided by, and
 *   'device-lost' naming a rank that ended
 */
export async function startWorkerTeam(
  model: string,
  mesh: ParallelConfig,
  { ranks = 'processes', cards = [], trace, ...options }: WorkerTeamOptions = {},
): Promise<WorkerTeam> {
  let config = mesh
  checkParallelConfig(config)
  // A model of the hub is from now on the commit that it is at: all ranks read the same.
  await (await openModel(model, { signal: options.signal })).close()
  const size = sizeOf(config.degrees)
  const processes = currentRuntime() === 'node' && ranks === 'processes'
  let links = await makeLinks(processes, size)
  const started: (Rank | undefined)[] = Array(size).fill(undefined)
  let ended = false

  const interrupt = (error: unknown) => {
    const failure = error instanceof DitError ? error : new DitError('device-lost', String(error))
    for (const rank of started) rank?.interrupt(failure)
  }
  /** Ends all ranks; those that do not by themselves, at once. */
  async function close(patience = Number.POSITIVE_INFINITY): Promise<void> {
    ended = true
    const closing = Promise.allSettled(started.map((rank) => rank?.close()))
    if (patience < Number.POSITIVE_INFINITY) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience)
      })
      await Promise.race([closing, late])
      clearTimeout(timer)
      for (const rank of started) rank?.terminate()
    } else await closing
    await links.end()
  }

  try {
    await onAllRanks(
      size,
      async (rank) => {
        const { platform, env } = cards[rank] ?? {}
        const place = { rank, config, links: links.of(rank), trace }
        const process = processes ? { env } : undefined
        started[rank] = await startRank(model, { ...options, place, process, platform })
      },
      { failed: interrupt, patience },
    )
  } catch (error) {
    await close(ENDING)
    throw error instanceof RanksHang ? error.cause : error
  }
  const all = started as Rank[]
  /** Ranks that end by themselves end the team: nothing of theirs can be drawn any more. */
  let fallen: unknown
  for (const [rank, { failed }] of all.entries()) {
    failed.catch((error) => {
      if (ended) return
      fallen ??= named(rank, error)
      interrupt(fallen)
    })
  }

  async function draw(prompt: string | string[], given: ResumableTeamCall): Promise<PipelineOutput> {
    if (fallen) throw fallen
    const { onStep, onResume: _, onCheckpoint, ...call } = seeded(given)
    const told = (rank: number) => (rank < crewSize(config) ? onStep : undefined)
    try {
      const outputs = await onAllRanks(
        size,
        (rank) =>
          all[rank].run(prompt, {
            ...call,
            checkpoints: onCheckpoint !== undefined,
            previews: told(rank) !== undefined,
            onStep: listener(told(rank), onCheckpoint),
          }),
        { failed: interrupt, patience },
      )
      return joinedOutput(outputs.map((output) => ({ ...output, images: output.images.map(imageOf) })))
    } catch (error) {
      if (error instanceof RanksHang) fallen ??= error.cause
      if (fallen) {
        await close(1)
        throw fallen
      }
      await links.end()
      links = await makeLinks(processes, size)
      await Promise.all(all.map((one, rank) => one.meetAgain({ rank, config, links: links.of(rank), trace })))
      throw error
    }
  }

  async function divide(other: ParallelConfig): Promise<void> {
    if (fallen) throw fallen
    checkParallelConfig(other, size)
    config = other
    await links.end()
    links = await makeLinks(processes, size)
    await onAllRanks(size, (rank) => all[rank].takePlace({ rank, config, links: links.of(rank), trace }), {
      failed: interrupt,
      patience,
    })
  }

  let busy: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = busy.then(work)
    busy = done.catch(() => {})
    return done
  }
  return {
    size,
    pids: all.map(({ pid }) => pid),
    deviceNames: all.map(({ deviceName }) => deviceName),
    run: (prompt, call = {}) => inTurn(() => draw(prompt, call)),
    divide: (other) => inTurn(() => divide(other)),
    spans: async () => (await Promise.all(all.map((rank) => rank.spans()))).flat(),
    sent: () => Promise.all(all.map((rank) => rank.sent())),
    close: () => busy.then(() => close()),
    end: () => busy.then(() => close(ENDING)),
  }
}

/** What a rank tells after a step. */
function listener(
  onStep: TeamOptions['onStep'],
  onCheckpoint: ResumableTeamCall['onCheckpoint'],
): ((step: RankStep) => void) | undefined {
  if (!onStep && !onCheckpoint) return undefined
  return ({ previews, checkpoint, ...step }) => {
    if (checkpoint) onCheckpoint?.(checkpoint)
    void onStep?.({ ...step, preview: async () => previews.map(imageOf) })
  }
}

const crewSize = ({ degrees }: ParallelConfig): number => sizeOf(degrees) / degrees.data

const imageOf = ({ width, height, data }: { width: number; height: number; data: DitImage['data'] }): DitImage =>
  new DitImage(width, height, data)
