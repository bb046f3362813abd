import { JetStreamApiCodes, JetStreamApiError, type JsMsg } from '@nats-io/jetstream'
import { nuid } from '@nats-io/transport-node'
import type { DitImage } from '../../pipelines/image/image.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { type PlainFailure, plainFailure } from '../../pipelines/outcome.ts'
import type { TeamOptions, TeamStep } from '../../pipelines/team/team.ts'
import { DitError } from '../../runtime/errors.ts'
import type { Drawn, Job, News, Result } from '../jobs/job.ts'
import { dropObjects } from '../jobs/objects.ts'
import { inputsOf, objectsOf, packOutput, unpackCall } from '../jobs/pack.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'

/** So many nodes may be given a job before it is thought to be what ends them. */
const MOST_DELIVERIES = 10

/** Signs of life of a job while it is drawn, in the time after which it would go to another node. */
const SIGNS = 4

/** How a job ended on this node. */
export interface Ending {
  /** 'left': somebody else has it, or nobody wants it. */
  readonly outcome: 'drawn' | 'failed' | 'left' | 'given back'
  readonly seconds: number
  /** The device is gone. */
  readonly lost?: unknown
}

export interface JobHooks {
  stepped?(): void
  ended?(ending: Ending): void
}

interface About {
  readonly node: string
  readonly version: string
  readonly patience: number
  readonly hooks: JobHooks
  onNote(line: string): void
}

/** A job that this node was given. Whatever becomes of it is written once, by whoever is first. */
export class WorkedJob {
  readonly id: string
  readonly #rooms: Rooms
  readonly #message: JsMsg
  readonly #job: Job
  readonly #about: About
  /** Of what this node makes of it, among other nodes'. */
  readonly #attempt = nuid.next()
  readonly #leave = new AbortController()

  constructor(rooms: Rooms, message: JsMsg, about: About) {
    this.#rooms = rooms
    this.#message = message
    this.#job = message.json<Job>()
    this.id = this.#job.id
    this.#about = about
  }

  /** Stops before the next step: nobody needs what would come of it. */
  leave(): void {
    this.#leave.abort()
  }

  async leaveIfDone(): Promise<void> {
    if (await this.#isDone().catch(() => false)) this.leave()
  }

  /** Draws it unless it is done already, and sees that the queue forgets it, or gives it to another node. */
  async drawWith(drawer: Draws): Promise<Ending> {
    const began = performance.now()
    const message = this.#message
    const seconds = () => (performance.now() - began) / 1000
    const alive = setInterval(() => message.working(), (this.#about.patience * 1000) / SIGNS)
    try {
      const outcome = await this.#drawOnce(drawer, seconds)
      message.ack()
      return { outcome, seconds: seconds() }
    } catch (error) {
      if (!isLost(error)) throw error
      message.nak()
      return { outcome: 'given back', seconds: seconds(), lost: error }
    } finally {
      clearInterval(alive)
    }
  }

  async #drawOnce(drawer: Draws, seconds: () => number): Promise<Ending['outcome']> {
    try {
      if (await this.#isDone()) return 'left'
      this.#check()
      const output = await this.#draw(drawer)
      const about = { seconds: seconds(), deliveries: this.#message.info.deliveryCount }
      const drawn = await packOutput(this.#rooms, this.#job, this.#attempt, output, about)
      if (await this.#finish({ drawn })) return 'drawn'
      await dropObjects(this.#rooms, objectsOf(drawn))
      return 'left'
    } catch (error) {
      if (this.#leave.signal.aborted) return 'left'
      if (isLost(error)) throw error
      const failure = plainFailure(error instanceof DitError ? error : unexpected(error))
      this.#about.onNote(`job ${this.id} failed: ${failure.message}`)
      return (await this.#finish({ failure })) ? 'failed' : 'left'
    }
  }

  /** @throws DitError for what no node would do better */
  #check(): void {
    const { deliveryCount } = this.#message.info
    const { version } = this.#job
    if (version !== this.#about.version) {
      throw new DitError(
        'unsupported',
        `the request comes from webdit ${version}, and node ${this.#about.node} runs ${this.#about.version}`,
        'Run the same version everywhere.',
      )
    }
    if (deliveryCount <= MOST_DELIVERIES) return
    throw new DitError(
      'io',
      `${deliveryCount - 1} nodes were given the request, and none of them finished it`,
      'They may have ended because of it: their own output tells more.',
    )
  }

  async #draw(drawer: Draws): Promise<PipelineOutput> {
    const call = await unpackCall(this.#rooms, this.#job)
    return drawer.draw([...this.#job.prompts], {
      ...call,
      signal: this.#leave.signal,
      onStep: (step) => this.#tell(step),
    })
  }

  /** News may get lost: nothing depends on them. */
  async #tell({ step, steps, timestep, preview }: TeamStep): Promise<void> {
    const { nc } = this.#rooms
    this.#about.hooks.stepped?.()
    const previews = this.#job.previews ? await Promise.all((await preview()).map(base64Png)) : undefined
    const bytes = encode({ step, steps, timestep, previews })
    const fits = bytes.length <= (nc.info?.max_payload ?? 0)
    this.#publish(fits ? bytes : encode({ step, steps, timestep }))
  }

  #publish(news: Uint8Array): void {
    const { nc, names } = this.#rooms
    if (!nc.isClosed()) nc.publish(names.news(this.id), news)
  }

  #isDone(): Promise<boolean> {
    const { nc, results } = this.#rooms
    return untilAnswered(nc, 'a result', async () => (await results.get(this.id)) !== null)
  }

  /** Writes what became of the job; whether this attempt was the first to do so. */
  async #finish(what: { readonly drawn: Drawn } | { readonly failure: PlainFailure }): Promise<boolean> {
    const { nc, results } = this.#rooms
    const result: Result = { node: this.#about.node, attempt: this.#attempt, ...what }
    const first = await untilAnswered(nc, 'the result', async () => {
      try {
        await results.create(this.id, JSON.stringify(result))
        return true
      } catch (error) {
        // One whose answer was lost is there all the same.
        const there = isThere(error) && (await results.get(this.id))
        if (!there) throw error
        return there.json<Result>().attempt === this.#attempt
      }
    })
    this.#publish(encode({ done: true }))
    if (first) await dropObjects(this.#rooms, inputsOf(this.#job))
    return first
  }
}

type Draws = { draw(prompts: string[], call: TeamOptions): Promise<PipelineOutput> }

const isLost = (error: unknown): boolean => error instanceof DitError && error.kind === 'device-lost'

const isThere = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence

const unexpected = (error: unknown): DitError =>
  new DitError('validation', `unexpected: ${error instanceof Error ? error.message : String(error)}`)

const encode = (news: News): Uint8Array => new TextEncoder().encode(JSON.stringify(news))

async function base64Png(image: DitImage): Promise<string> {
  const bytes = await image.toPng()
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
