import { nuid, type Subscription } from '@nats-io/transport-node'
import { DitImage } from '../../pipelines/image/image.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { typedFailure } from '../../pipelines/outcome.ts'
import type { TeamOptions, TeamStep } from '../../pipelines/team/team.ts'
import { DitError } from '../../runtime/errors.ts'
import { decodeRgb } from '../decode_rgb.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'
import type { Job, News, Result } from './job.ts'
import { packJob, unpackOutput } from './pack.ts'

/** How often to look for results whose news were lost on the way, in ms. */
const LOOK = 3_000

interface Waiting {
  /** Looks for the result. */
  look(): void
  heard(news: News): void
}

/** Puts jobs into the queue, and brings what nodes made of them, each once. */
export class Caller {
  readonly #rooms: Rooms
  readonly #version: string
  /** Begins the ids of its jobs. */
  readonly #name = nuid.next()
  readonly #waiting = new Map<string, Waiting>()
  readonly #news: Subscription
  readonly #timer: ReturnType<typeof setInterval>
  #count = 0

  constructor(rooms: Rooms, version: string) {
    this.#rooms = rooms
    this.#version = version
    const { nc, names } = rooms
    this.#news = nc.subscribe(names.news(`${this.#name}.*`), {
      callback: (error, message) => {
        if (error) return // the connection is gone, and looks again when it is back
        this.#waiting.get(message.subject.slice(names.news('').length))?.heard(message.json<News>())
      },
    })
    this.#timer = setInterval(() => this.#lookForAll(), LOOK)
    void this.#lookWhenBack()
  }

  /**
   * One job: pictures that a node draws together.
   *
   * @param digest of the model
   * @throws DitError as pipelines do; 'aborted', 'io', and 'bad-argument' for one that is too large for the server
   */
  async draw(
    digest: string,
    prompts: readonly string[],
    { onStep, signal, ...call }: TeamOptions,
    previews: boolean,
  ): Promise<PipelineOutput> {
    const id = `${this.#name}.${++this.#count}`
    const about = { id, version: this.#version, prompts, previews }
    const job = await packJob(this.#rooms, about, call, signal)
    const result = await this.#result(job, digest, onStep, signal)
    if ('failure' in result) throw typedFailure(result.failure)
    return unpackOutput(this.#rooms, result.drawn, signal)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#news.unsubscribe()
  }

  async #result(job: Job, digest: string, onStep: TeamOptions['onStep'], signal?: AbortSignal): Promise<Result> {
    const { nc, results } = this.#rooms
    let cancel = () => {}
    try {
      return await new Promise<Result>((resolve, reject) => {
        cancel = () => reject(new DitError('aborted', 'the run was cancelled', undefined, { cause: signal?.reason }))
        signal?.addEventListener('abort', cancel)
        if (signal?.aborted) cancel()
        let looking = false
        const look = async () => {
          if (looking) return
          looking = true
          try {
            const entry = await untilAnswered(nc, 'a result', () => results.get(job.id), signal)
            if (entry) resolve(entry.json<Result>())
          } finally {
            looking = false
          }
        }
        this.#waiting.set(job.id, {
          look: () => void look().catch(reject),
          heard: (news) => {
            if ('done' in news) look().catch(reject)
            else void onStep?.(stepOf(news))
          },
        })
        this.#publish(job, digest, signal).catch(reject)
      })
    } catch (error) {
      if (signal?.aborted) await this.#cancel(job)
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
      this.#waiting.delete(job.id)
    }
  }

  async #publish(job: Job, digest: string, signal?: AbortSignal): Promise<void> {
    const { nc, js, names } = this.#rooms
    const bytes = new TextEncoder().encode(JSON.stringify(job))
    const most = (nc.info?.max_payload ?? Number.POSITIVE_INFINITY) - HEADERS
    if (bytes.length > most) {
      throw new DitError(
        'bad-argument',
        `the request takes ${bytes.length} bytes, and the NATS server takes ${most} at once`,
        'Shorten the prompts, or raise max_payload in the configuration of the server.',
      )
    }
    // Published again until the server says that it has it: it knows the id, and takes the job in once.
    await untilAnswered(nc, 'the job', () => js.publish(names.jobs(digest), bytes, { msgID: job.id }), signal)
  }

  /** Nobody waits any more: whoever draws it stops, and who would have drawn it leaves it. */
  async #cancel({ id }: Job): Promise<void> {
    const { nc, results, names } = this.#rooms
    const failure = { kind: 'aborted', message: 'the run was cancelled' } as const
    const result: Result = { node: '', attempt: '', failure }
    await Promise.race([
      results.create(id, JSON.stringify(result)).catch(() => {}), // it was done at this moment
      new Promise((resolve) => setTimeout(resolve, CANCELLING)),
    ])
    if (!nc.isClosed()) nc.publish(names.cancel(id))
  }

  #lookForAll(): void {
    for (const { look } of this.#waiting.values()) look()
  }

  async #lookWhenBack(): Promise<void> {
    for await (const { type } of this.#rooms.nc.status()) if (type === 'reconnect') this.#lookForAll()
  }
}

/** Room that headers of a message take at most, in bytes. */
const HEADERS = 512
/** How long a caller that leaves tries to say so, in ms. */
const CANCELLING = 300

function stepOf({ previews = [], ...step }: Extract<News, { step: number }>): TeamStep {
  const preview = async () =>
    previews.map((text) => {
      const { width, height, data } = decodeRgb(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)))
      return new DitImage(width, height, data)
    })
  return { ...step, preview }
}
