import { wrap } from 'comlink'
import { ON_ONE_DEVICE } from '../../parallel/config/parallel_config.ts'
import { evened } from '../../parallel/crew/measured_speeds.ts'
import { ONE_RANK } from '../../parallel/mesh/mesh.ts'
import type { Machine } from '../../parallel/planner/machine.ts'
import { currentRuntime, type PlatformOptions } from '../../runtime/platform/platform.ts'
import { typedFailure } from '../outcome.ts'
import type { RankApi } from '../rank.ts'
import { handedOver, startThread } from '../start_rank.ts'
import { makeLinks } from '../team/make_links.ts'
import { rankCards } from '../team/rank_cards.ts'
import type { WorkerTeamOptions } from '../team/worker_team.ts'
import type { MeasuredShapes, RankFigures } from './measure_rank.ts'

export interface MeasureOptions extends Pick<WorkerTeamOptions, 'ranks' | 'tier' | 'worker'> {
  platform?: PlatformOptions
  onNote?: (line: string) => void
}

/** A machine as its ranks measured it, all at the same time. */
export interface MeasuredMachine extends Machine {
  /** Of each rank's device, relative to the others. */
  readonly speeds: readonly number[]
}

/**
 * Starts as many ranks as will draw, lets them measure their devices on layers of the model's shapes and their links to
 * each other, and ends them. Takes a second or two, and as long again as devices take to open.
 *
 * @throws DitError 'no-adapter', 'device-lost'
 */
export async function measureMachine(
  size: number,
  shapes: MeasuredShapes,
  { ranks = 'processes', tier, worker, platform, onNote }: MeasureOptions = {},
): Promise<MeasuredMachine> {
  const processes = currentRuntime() === 'node' && ranks === 'processes'
  const cards = await rankCards(size, platform, onNote)
  const links = await makeLinks(processes, size)
  const config = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, data: size } }
  const threads = await Promise.all(cards.map(({ env }) => startThread(worker, processes ? { env } : undefined)))
  try {
    const figures = await Promise.all(
      threads.map(async ({ endpoint, failed }, rank) => {
        failed.catch(() => {}) // heard below, or at the end of all
        const api = wrap(endpoint) as unknown as RankApi
        const place = size > 1 ? { rank, config, links: links.of(rank) } : undefined
        const options = handedOver({ place, tier, platform: cards[rank].platform }, place)
        const outcome = await Promise.race([api.measure(1, options, shapes), failed])
        if ('failure' in outcome) throw typedFailure(outcome.failure)
        await Promise.race([api.close(), failed]).catch(() => {})
        return outcome.value as RankFigures
      }),
    )
    return machineOf(figures)
  } finally {
    for (const thread of threads) thread.terminate()
    await links.end()
  }
}

/** The fastest device's rates, and the slowest link's. */
export function machineOf(figures: readonly RankFigures[]): MeasuredMachine {
  const most = (of: (one: RankFigures) => number) => Math.max(...figures.map(of))
  const links = figures.flatMap(({ link }) => (link ? [link] : []))
  return {
    linear: most((one) => one.linear),
    attention: most((one) => one.attention),
    perKey: -most((one) => -one.perKey),
    bandwidth: links.length > 0 ? Math.min(...links.map(({ bandwidth }) => bandwidth)) : Number.POSITIVE_INFINITY,
    latency: links.length > 0 ? Math.max(...links.map(({ latency }) => latency)) : 0,
    speeds: evened(figures.map((one) => one.linear)),
  }
}
