import type { Subscription } from '@nats-io/transport-node'
import type { ServerAccess } from '../../parallel/fabric/nats/connection.node.ts'
import type { Rendezvous } from '../../parallel/fabric/processes/rendezvous.node.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { DitImage } from '../../pipelines/image/image.ts'
import { plainFailure } from '../../pipelines/outcome.ts'
import { type Rank, type RankOptions, startRank } from '../../pipelines/start_rank.ts'
import { named } from '../../pipelines/team/all_ranks.ts'
import type { RankCard } from '../../pipelines/team/rank_cards.ts'
import { joinedOutput } from '../../pipelines/team/team.ts'
import { DitError } from '../../runtime/errors.ts'
import type { Job } from '../jobs/job.ts'
import { packOutput, unpackCall } from '../jobs/pack.ts'
import type { Rooms } from '../rooms.ts'
import { BEAT, MISSED, type ToLeader, type ToLender } from './messages.ts'

export interface LenderOptions {
  readonly node: string
  readonly version: string
  readonly digest: string
  /** The model's folder on this machine. */
  readonly model: string
  readonly loading: Omit<RankOptions, 'place' | 'process' | 'platform' | 'signal'>
  /** What each rank opens. */
  readonly cards: readonly RankCard[]
  readonly access: ServerAccess
  changed(): void
  onNote(line: string): void
}

type Start = Extract<ToLender, { kind: 'start' }>

/** Ranks of a mesh on this machine. */
interface Lent {
  readonly mesh: string
  readonly first: number
  /** Ranks of a crew. */
  readonly crew: number
  readonly ranks: Rank[]
  readonly meeting: Rendezvous
  heard: number
  /** Settles when its ranks have ended; undefined before they are told to. */
  ending?: Promise<void>
}

/** How long ranks may take to end after one of them failed, in ms. */
const ENDING = 2000

/** Lends this machine's ranks to meshes over several machines, to one at a time. */
export class RankLender {
  readonly #rooms: Rooms
  readonly #o: LenderOptions
  readonly #orders: Subscription
  readonly #timer: ReturnType<typeof setInterval>
  #lent: Lent | undefined
  #done = 0

  constructor(rooms: Rooms, options: LenderOptions) {
    this.#rooms = rooms
    this.#o = options
    const { nc, names } = rooms
    this.#orders = nc.subscribe(names.lender(options.node), {
      callback: (error, message) => {
        if (!error) void this.#hear(message.json<ToLender>())
      },
    })
    this.#timer = setInterval(() => this.#beat(), BEAT)
  }

  /** The mesh that has its ranks. */
  get jobs(): string[] {
    return this.#lent ? [this.#lent.mesh] : []
  }

  get done(): number {
    return this.#done
  }

  /** Lends no more, and ends what is lent when the picture in hand is there. */
  async close(): Promise<void> {
    this.#orders.unsubscribe()
    while (this.#drawing) await this.#drawing
    clearInterval(this.#timer)
    if (this.#lent) await this.#end(this.#lent)
  }

  #drawing: Promise<void> | undefined

  async #hear(order: ToLender): Promise<void> {
    const lent = this.#lent?.mesh === order.mesh ? this.#lent : undefined
    if (lent) lent.heard = performance.now()
    if (order.kind === 'start') await this.#start(order)
    if (order.kind === 'end' && lent) await this.#end(lent)
    if (order.kind === 'draw' && lent) {
      this.#drawing = this.#draw(lent, order.job).finally(() => {
        this.#drawing = undefined
      })
    }
  }

  async #start(order: Start): Promise<void> {
    const { mesh, first, end, config } = order
    if (this.#lent?.mesh === mesh) return
    // A mesh that is over may still be letting go of its ranks.
    while (this.#lent?.ending) await this.#lent.ending
    try {
      this.#check(order)
      const { createRendezvous } = await import('../../parallel/fabric/processes/rendezvous.node.ts')
      const size = sizeOf(config.degrees)
      const members = Array.from({ length: end - first }, (_, k) => first + k)
      const others = Array.from({ length: size }, (_, rank) => rank).filter((rank) => !members.includes(rank))
      const meeting = { ...(await createRendezvous(size)), members }
      const crew = size / config.degrees.data
      const lent: Lent = { mesh, first, crew, ranks: [], meeting, heard: performance.now() }
      this.#lent = lent
      this.#o.changed()
      this.#o.onNote(`ranks ${first} to ${end - 1} of ${size} for mesh ${mesh}`)
      const far = { access: this.#o.access, mesh: this.#rooms.names.mesh(mesh), size, members: others }
      const links = { by: 'hosts', links: { near: meeting, far } } as const
      await this.#onAll(lent, members, async (rank) => {
        const { platform, env } = this.#o.cards[rank - first] ?? {}
        const place = { rank, config, links }
        const started = await startRank(this.#o.model, { ...this.#o.loading, place, process: { env }, platform })
        lent.ranks[rank - first] = started
        started.failed.catch((error) => this.#fell(lent, named(rank, error)))
      })
      this.#answer(mesh, { kind: 'started', devices: lent.ranks.map(({ deviceName }) => deviceName) })
    } catch (error) {
      await this.#fell(this.#lent, error, mesh)
    }
  }

  #check({ version, digest, first, end }: Start): void {
    const { node, cards } = this.#o
    const refuse = (what: string, hint?: string) => new DitError('unsupported', `node ${node} ${what}`, hint)
    if (this.#lent) throw refuse('lends its ranks to another mesh', 'Try again when that is done.')
    if (version !== this.#o.version) throw refuse(`runs webdit ${this.#o.version}, and not ${version}`)
    if (digest !== this.#o.digest) {
      throw refuse(
        `has another checkpoint: its digest is ${this.#o.digest}, expected ${digest}`,
        'Copy the same files there.',
      )
    }
    if (end - first > cards.length) throw refuse(`lends ${cards.length} ranks, and is asked for ${end - first}`)
  }

  async #draw(lent: Lent, job: Job): Promise<void> {
    const { mesh, first, ranks, crew } = lent
    const began = performance.now()
    try {
      const call = await unpackCall(this.#rooms, job)
      const outputs = await this.#onAll(lent, [...ranks.keys()], async (k) => {
        // The first crew's steps are what the caller hears.
        const onStep =
          first + k < crew
            ? ({ step, steps, timestep }: { step: number; steps: number; timestep: number }) =>
                this.#answer(mesh, { kind: 'step', step, steps, timestep })
            : undefined
        const output = await ranks[k].run([...job.prompts], { ...call, onStep })
        return { ...output, images: output.images.map(({ width, height, data }) => new DitImage(width, height, data)) }
      })
      const leads = outputs.some(({ latents }) => latents.data.length > 0)
      const about = { seconds: (performance.now() - began) / 1000, deliveries: 1 }
      const drawn = leads ? await packOutput(this.#rooms, job, `${first}`, joinedOutput(outputs), about) : undefined
      this.#done++
      this.#answer(mesh, { kind: 'drawn', drawn })
    } catch (error) {
      await this.#fell(lent, error)
    }
  }

  /** For all ranks at once; the first error ends the others. */
  async #onAll<T>({ ranks, first }: Lent, of: readonly number[], body: (rank: number) => Promise<T>): Promise<T[]> {
    let failed: { readonly rank: number; readonly error: unknown } | undefined
    const settled = await Promise.allSettled(
      of.map(async (rank) => {
        try {
          return await body(rank)
        } catch (error) {
          failed ??= { rank: rank < first ? rank + first : rank, error }
          const failure = error instanceof DitError ? error : new DitError('device-lost', String(error))
          for (const one of ranks) one?.interrupt(failure)
          throw error
        }
      }),
    )
    if (failed) throw named(failed.rank, failed.error)
    return settled.map((one) => (one as PromiseFulfilledResult<T>).value)
  }

  /** A mesh in which something failed is over: its caller begins another one. */
  async #fell(lent: Lent | undefined, error: unknown, mesh = lent?.mesh): Promise<void> {
    if (mesh === undefined || (lent?.mesh === mesh && lent.ending)) return
    const failure = plainFailure(error instanceof DitError ? error : new DitError('device-lost', String(error)))
    this.#answer(mesh, { kind: 'failed', failure })
    if (lent?.mesh === mesh) await this.#end(lent)
  }

  #end(lent: Lent): Promise<void> {
    lent.ending ??= this.#letGo(lent)
    return lent.ending
  }

  async #letGo(lent: Lent): Promise<void> {
    const { endRendezvous } = await import('../../parallel/fabric/processes/rendezvous.node.ts')
    const late = new Promise((resolve) => setTimeout(resolve, ENDING))
    await Promise.race([Promise.allSettled(lent.ranks.map((rank) => rank?.close())), late])
    for (const rank of lent.ranks) rank?.terminate()
    await endRendezvous(lent.meeting)
    if (this.#lent === lent) this.#lent = undefined
    this.#o.changed()
  }

  #beat(): void {
    const lent = this.#lent
    if (!lent) return
    this.#answer(lent.mesh, { kind: 'beat' })
    if (performance.now() - lent.heard < BEAT * MISSED) return
    this.#o.onNote(`whoever has the ranks of mesh ${lent.mesh} gives no sign of life: they are taken back`)
    void this.#end(lent)
  }

  #answer(mesh: string, answer: DistributedOmit<ToLeader, 'node'>): void {
    const { nc, names } = this.#rooms
    if (!nc.isClosed()) nc.publish(names.leader(mesh), JSON.stringify({ node: this.#o.node, ...answer }))
  }
}

type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
