import { Buffer } from 'node:buffer'
import { randomSeed } from '../pipelines/noise.ts'
import type { Access } from './access.ts'
import type { Limits } from './limits.ts'
import { Metrics } from './metrics.ts'
import type { PageFiles } from './page_files.ts'
import { PictureStore } from './picture_store.ts'
import { Feed, type FeedOptions } from './queue/feed.ts'
import { type Drawn, Job, type JobListener, type PictureRequest } from './queue/job.ts'
import { Refusal } from './refusal.ts'
import { checkRequest, type RequestSize, type ServedModel } from './served_model.ts'

export interface ServingOptions {
  readonly model: ServedModel
  readonly limits: Limits
  readonly access: Access
  /** Origins whose pages may ask; none by default. */
  readonly corsOrigins?: readonly string[]
  /** What is shown at /, by its path there. */
  readonly page?: PageFiles
  /** For pictures' text and the OpenAPI document: webdit's version. */
  readonly version: string
  onNote(line: string): void
}

/** What the routes have of the server. */
export class Serving {
  readonly o: ServingOptions
  readonly feed: Feed
  readonly metrics = new Metrics()
  readonly store = new PictureStore()

  constructor(drawers: ConstructorParameters<typeof Feed>[0], options: ServingOptions) {
    this.o = options
    const { queue, batch } = options.limits
    const feeding: FeedOptions = { places: queue, mostTogether: batch, metrics: this.metrics, onNote: options.onNote }
    this.feed = new Feed(drawers, feeding)
    this.metrics.gauge(
      'webdit_kept_bytes',
      'Bytes of pictures that are kept for their addresses.',
      () => this.store.bytes,
    )
    for (const [name, read] of Object.entries(PROCESS)) this.metrics.gauge(`${name}_bytes`, 'Of this process.', read)
  }

  /**
   * Begins to draw what a client asked for.
   * @param signal fires when the client has left
   * @throws Refusal, DitError 'bad-argument'
   */
  begin(request: PictureRequest, about: Begin): { job: Job; size: RequestSize } {
    const size = checkRequest(this.o.model, request)
    const job = new Job(request, about.client, about.listener)
    this.feed.submit(job, about.deadline ?? this.o.limits.deadline)
    const leave = () => job.fail(new Refusal(499, 'client_left', 'the client left', { cause: about.signal.reason }))
    about.signal.addEventListener('abort', leave)
    job.onEnd(() => about.signal.removeEventListener('abort', leave))
    if (about.signal.aborted) leave()
    return { job, size }
  }

  /** The picture as PNG; what drew it is in its text chunks. */
  png(
    { image, seed }: Drawn,
    { texts, call }: PictureRequest,
    { steps }: RequestSize,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { facts, id } = this.o.model
    const parameters = {
      prompt: texts.prompt,
      ...(texts.negativePrompt !== undefined && { negative_prompt: texts.negativePrompt }),
      seed: String(seed),
      num_inference_steps: String(steps),
      guidance_scale: String(call.guidanceScale ?? facts.family.defaults.guidanceScale),
      model: id,
      pipeline: facts.className,
      software: `webdit ${this.o.version}`,
    }
    Object.assign(image.parameters, parameters)
    return image.toPng()
  }
}

/** Who asks, and until when. */
export interface Begin {
  readonly client: string
  readonly signal: AbortSignal
  /** Seconds. */
  readonly deadline?: number
  readonly listener?: JobListener
}

export const base64 = (png: Uint8Array): string =>
  Buffer.from(png.buffer, png.byteOffset, png.length).toString('base64')

/** A seed for each of `n` pictures: the given one and those after it, or all at random. */
export const seedsFor = (n: number, first: number | undefined): number[] =>
  Array.from({ length: n }, (_, i) =>
    first === undefined ? randomSeed() : (first + i) % (Number.MAX_SAFE_INTEGER + 1),
  )

const PROCESS: Record<string, () => number> = {
  process_resident_memory: () => process.memoryUsage.rss(),
  nodejs_heap_size_used: () => process.memoryUsage().heapUsed,
  nodejs_external_memory: () => process.memoryUsage().external,
}
