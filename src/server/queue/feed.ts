import { DitError } from '../../runtime/errors.ts'
import type { Drawer, OpenDrawer } from '../drawer.ts'
import type { Metrics } from '../metrics.ts'
import { Refusal } from '../refusal.ts'
import { drawTogether } from './drawn_together.ts'
import { FairQueue } from './fair_queue.ts'
import type { Job, Picture } from './job.ts'
import { Line } from './line.ts'
import { Pace } from './pace.ts'

export interface FeedOptions {
  /** Pictures that may wait. */
  readonly places: number
  /** Pictures that are drawn together at most. */
  readonly mostTogether: number
  readonly metrics: Metrics
  /** Told what whoever runs the server should know, in a line. */
  onNote(line: string): void
}

/** Devices that a picture may lose before it is given up. */
const MOST_LOSSES = 2

/** Gives what waits in one queue to all that draw. */
export class Feed {
  readonly #queue: FairQueue<Picture>
  readonly #lines: readonly Line[]
  readonly #o: FeedOptions
  readonly #pace = new Pace()
  readonly #entered = new Map<Picture, number>()
  readonly #running = new Set<readonly Picture[]>()
  readonly #serving: Promise<void>[]
  readonly #stop = new AbortController()
  #idle: (() => void)[] = []

  /** @param drawers opened, with what opens them again */
  constructor(drawers: readonly { readonly open: OpenDrawer; readonly drawer: Drawer }[], options: FeedOptions) {
    this.#o = options
    this.#queue = new FairQueue(options.places)
    this.#lines = drawers.map(
      ({ open, drawer }) => new Line(open, drawer, options.mostTogether, (line) => options.onNote(line)),
    )
    const { metrics } = options
    metrics.gauge('webdit_queue_pictures', 'Pictures that wait.', () => this.#queue.length)
    metrics.gauge('webdit_queue_clients', 'Clients whose pictures wait.', () => this.#queue.clients)
    metrics.gauge('webdit_drawing_pictures', 'Pictures that are being drawn.', () => this.#inHand)
    metrics.gauge('webdit_meshes_open', 'Devices or meshes that can draw.', () => this.#open)
    this.#serving = this.#lines.map((line) => this.#serve(line))
  }

  /** Whether something can draw. */
  get ready(): boolean {
    return !this.#stop.signal.aborted && this.#open > 0
  }

  /**
   * Takes a job in. It ends by itself when its seconds are over.
   * @throws Refusal 429 where there is no room, or no time; 503 where the server is about to end
   */
  submit(job: Job, seconds: number): void {
    if (this.#stop.signal.aborted) throw new Refusal(503, 'closing', 'the server is about to end', { retryAfter: 5 })
    const ahead = this.#queue.length + this.#inHand
    const retryAfter = this.#pace.retryAfter(ahead, this.#open)
    const wait = this.#pace.seconds(ahead + job.pictures.length, this.#open)
    if (wait > seconds) {
      const message = `the pictures ahead take about ${Math.ceil(wait)} s, longer than this request may wait (${seconds} s)`
      throw new Refusal(429, 'too_slow', message, { hint: 'Try again later, or allow more time.', retryAfter })
    }
    if (!this.#queue.push(job.pictures)) {
      const message = `the queue is full: ${this.#queue.length} of ${this.#queue.places} places are taken`
      throw new Refusal(429, 'queue_full', message, { hint: `Try again in ${retryAfter} s.`, retryAfter })
    }
    const { metrics } = this.#o
    const now = performance.now()
    for (const picture of job.pictures) this.#entered.set(picture, now)
    const timer = setTimeout(
      () => job.fail(new Refusal(504, 'deadline', `the time of this request is over: ${seconds} s`)),
      seconds * 1000,
    )
    job.onEnd(() => {
      clearTimeout(timer)
      metrics.pictures.inc(
        { outcome: 'unwanted' },
        this.#queue.remove((picture) => picture.job === job),
      )
      for (const picture of job.pictures) this.#entered.delete(picture)
    })
    this.#wake()
  }

  /** Ends all: what is drawn stops before its next step. */
  async close(): Promise<void> {
    this.#stop.abort()
    const closing = new Refusal(503, 'closing', 'the server ended', { retryAfter: 5 })
    for (const { job } of this.#queue.all) job.fail(closing)
    for (const pictures of this.#running) for (const { job } of pictures) job.fail(closing)
    this.#wake()
    await Promise.allSettled(this.#serving)
    await Promise.allSettled(this.#lines.map((line) => line.close()))
  }

  get #open(): number {
    return this.#lines.filter(({ drawer }) => drawer !== undefined).length
  }

  get #inHand(): number {
    return [...this.#running].reduce((sum, pictures) => sum + pictures.length, 0)
  }

  #wake(): void {
    const idle = this.#idle
    this.#idle = []
    for (const resume of idle) resume()
  }

  async #serve(line: Line): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const drawer = line.drawer ?? (await line.reopen(this.#stop.signal))
      if (!drawer) return
      // Others that are free get their share of what is there.
      const share = Math.ceil(this.#queue.length / Math.max(1, this.#open - this.#running.size))
      const pictures = this.#queue.take(Math.max(1, Math.min(line.most, share)))
      if (pictures.length > 0) await this.#draw(line, drawer, pictures)
      else if (!this.#stop.signal.aborted) await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  async #draw(line: Line, drawer: Drawer, pictures: readonly Picture[]): Promise<void> {
    const { metrics } = this.#o
    const began = performance.now()
    for (const picture of pictures) metrics.waiting.observe((began - (this.#entered.get(picture) ?? began)) / 1000)
    metrics.batch.observe(pictures.length)
    const stop = new AbortController()
    const stopIfUnwanted = () => {
      if (pictures.every(({ job }) => job.ended)) stop.abort()
    }
    for (const { job } of pictures) job.onEnd(stopIfUnwanted)
    this.#running.add(pictures)
    try {
      await drawTogether(drawer, pictures, { signal: stop.signal, onStep: () => metrics.steps.inc() })
      const seconds = (performance.now() - began) / 1000
      this.#pace.note(seconds, pictures.length)
      metrics.drawing.observe(seconds)
      metrics.pictures.inc({ outcome: 'drawn' }, pictures.length)
    } catch (error) {
      if (stop.signal.aborted) metrics.pictures.inc({ outcome: 'unwanted' }, pictures.length)
      else this.#failed(line, pictures, error)
      if (isLost(error)) await line.lose(error)
    } finally {
      this.#running.delete(pictures)
    }
  }

  /** Tries again what may succeed another time, and gives up the rest. */
  #failed(line: Line, pictures: readonly Picture[], error: unknown): void {
    const { metrics } = this.#o
    if (error instanceof DitError && error.kind === 'out-of-memory' && pictures.length > 1) {
      line.most = Math.floor(pictures.length / 2)
      this.#o.onNote(`${pictures.length} pictures at once do not fit the device: from now on ${line.most} at most`)
    }
    const lost = isLost(error)
    const again = pictures.filter((picture) => {
      if (lost) picture.losses++
      return !picture.job.ended && (lost ? picture.losses < MOST_LOSSES : pictures.length > 1)
    })
    // One of a batch may be to blame; alone, it fails alone.
    if (!lost) for (const picture of again) picture.alone = true
    if (again.length > 0) this.#queue.putBack(again)
    for (const picture of pictures) {
      if (again.includes(picture)) continue
      metrics.pictures.inc({ outcome: 'failed' })
      picture.job.fail(error)
    }
  }
}

const isLost = (error: unknown): boolean => error instanceof DitError && error.kind === 'device-lost'
