import { AckPolicy, type Consumer, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream'
import type { PipelineOutput } from '../../pipelines/options.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import { untilAnswered } from '../patience.ts'
import { nanoseconds, type Rooms } from '../rooms.ts'
import { type Ending, type JobHooks, WorkedJob } from './worked_job.ts'

/** What draws: one device or mesh, opened again where it was lost. */
export interface Line {
  readonly drawer: { draw(prompts: string[], call: TeamOptions): Promise<PipelineOutput> } | undefined
  lose(error: unknown): Promise<void>
  reopen(signal: AbortSignal): Promise<Line['drawer']>
}

export interface WorkerOptions {
  readonly node: string
  readonly version: string
  /** Of the model that it draws with. */
  readonly digest: string
  /** Seconds without a sign of life after which a job goes to another node. */
  readonly patience: number
  /** Told when a job begins and ends. */
  changed(): void
  /** Told of every step and how each job ended. */
  readonly hooks: JobHooks
  onNote(line: string): void
}

/** How long one request for a job waits at the server, in ms. */
const ASKING = 30_000
/** After an error, in ms. */
const PAUSE = 250

/** Takes jobs out of the queue, one for each line that is free, and draws them. */
export class Worker {
  readonly #rooms: Rooms
  readonly #o: WorkerOptions
  readonly #stop = new AbortController()
  readonly #inHand = new Map<string, WorkedJob>()
  readonly #asking = new Set<ConsumerMessages>()
  #done = 0

  constructor(rooms: Rooms, options: WorkerOptions) {
    this.#rooms = rooms
    this.#o = options
    void this.#watch()
  }

  get jobs(): string[] {
    return [...this.#inHand.keys()]
  }

  get done(): number {
    return this.#done
  }

  /** Works until `drain`; settles when the last job in hand is done. */
  async work(lines: readonly Line[]): Promise<void> {
    await Promise.all(lines.map((line) => this.#serve(line)))
  }

  /** Takes no more jobs. */
  drain(): void {
    this.#stop.abort()
    for (const asking of this.#asking) asking.stop()
  }

  async #serve(line: Line): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (!line.drawer && !(await line.reopen(signal))) return
      const message = await this.#next()
      if (message) await this.#work(line, message)
    }
  }

  /** The next job, or nothing after a while. */
  async #next(): Promise<JsMsg | undefined> {
    let asking: ConsumerMessages | undefined
    try {
      const consumer = await this.#consumer()
      asking = await consumer.fetch({ max_messages: 1, expires: ASKING })
      this.#asking.add(asking)
      if (this.#stop.signal.aborted) return undefined
      for await (const message of asking) return message
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE)) // the server is away: asked again when it is back
    } finally {
      if (asking) this.#asking.delete(asking)
      asking?.stop()
    }
    return undefined
  }

  #found: Promise<Consumer> | undefined

  /** Made by the first node that has the model. */
  #consumer(): Promise<Consumer> {
    this.#found ??= this.#makeConsumer().catch((error) => {
      this.#found = undefined
      throw error
    })
    return this.#found
  }

  async #makeConsumer(): Promise<Consumer> {
    const { jsm, js, names, nc } = this.#rooms
    const { digest, patience } = this.#o
    const name = names.consumer(digest)
    const config = { ack_wait: nanoseconds(patience * 1000), max_deliver: -1 }
    await untilAnswered(nc, 'its queue', async () => {
      const found = await jsm.consumers.info(names.queue, name).catch(() => undefined)
      if (found && found.config.ack_wait === config.ack_wait) return
      if (found) await jsm.consumers.update(names.queue, name, config)
      else {
        const about = { durable_name: name, filter_subject: names.jobs(digest), ack_policy: AckPolicy.Explicit }
        await jsm.consumers.add(names.queue, { ...about, ...config })
      }
    })
    return js.consumers.get(names.queue, name)
  }

  async #work(line: Line, message: JsMsg): Promise<void> {
    if (this.#stop.signal.aborted) return message.nak() // another node takes it at once
    const job = new WorkedJob(this.#rooms, message, this.#o)
    this.#inHand.set(job.id, job)
    this.#o.changed()
    let ending: Ending | undefined
    try {
      ending = await job.drawWith(line.drawer!)
      if (ending.outcome === 'drawn') this.#done++
      this.#o.hooks.ended?.(ending)
    } finally {
      this.#inHand.delete(job.id)
      this.#o.changed()
    }
    if (ending.lost !== undefined) await line.lose(ending.lost)
  }

  /** Ends jobs that nobody wants, or that others have done while this node was cut off. */
  async #watch(): Promise<void> {
    const { nc, names } = this.#rooms
    nc.subscribe(names.cancel('>'), {
      callback: (error, { subject }) => {
        if (!error) this.#inHand.get(subject.slice(names.cancel('').length))?.leave()
      },
    })
    for await (const { type } of nc.status()) {
      if (type === 'disconnect') this.#o.onNote('the NATS server is out of reach: trying again')
      if (type !== 'reconnect') continue
      this.#o.onNote('the NATS server is back')
      for (const asking of this.#asking) asking.stop() // it may have forgotten the question
      for (const job of this.#inHand.values()) void job.leaveIfDone()
    }
  }
}
