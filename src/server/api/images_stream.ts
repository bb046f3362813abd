import type { Context } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { DitImage } from '../../pipelines/image/image.ts'
import type { Drawn, PictureRequest } from '../queue/job.ts'
import { Refusal } from '../refusal.ts'
import { type Begin, base64, type Serving } from '../serving.ts'
import type { App } from './app.ts'
import { errorBody, refusalOf } from './errors.ts'

/** ms between two comments that keep a quiet connection open, and notice that it is not. */
const QUIET = 10_000

/** What all events of OpenAI's image streams have. */
const COMMON = { background: 'opaque', output_format: 'png', quality: 'auto' } as const

/**
 * Server-sent events as OpenAI names them: image_generation.partial_image and image_generation.completed; and after each
 * step image_generation.in_progress, which OpenAI has where its images are made as a tool.
 *
 * @param about `partial`: how many pictures of what is forming are wanted
 */
export function streamImages(
  c: Context<App>,
  serving: Serving,
  request: PictureRequest,
  { partial, ...about }: Begin & { partial: number },
): Response {
  const news = new News()
  const shown = request.seeds.map(() => 0)
  const { job, size } = serving.begin(request, {
    ...about,
    listener: {
      wantsPreview: (step, steps) => isShown(step, steps, partial),
      stepped(index, step, steps, preview) {
        const at = { index, step, steps }
        news.add(async () => event('in_progress', at))
        if (preview && isShown(step, steps, partial)) {
          const partialImageIndex = shown[index]++
          news.add(() => partialImage(preview, { ...at, partial_image_index: partialImageIndex }))
        }
      },
      drew(index, drawn) {
        news.add(() => completed(index, drawn))
      },
    },
  })
  const completed = async (index: number, drawn: Drawn) => {
    const b64_json = base64(await serving.png(drawn, request, size))
    return event('completed', { ...COMMON, b64_json, size: `${size.width}x${size.height}`, index, seed: drawn.seed })
  }
  job.done.then(
    () => news.end(),
    (error) => news.end(error),
  )
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => job.fail(new Refusal(499, 'client_left', 'the client left')))
    await pass(news, stream)
  })
}

/** Whether one of so many pictures of what is forming is due: they are spread evenly over the steps. */
function isShown(step: number, steps: number, partial: number): boolean {
  const due = (at: number) => Math.floor((at * (partial + 1)) / steps)
  return step < steps && due(step) > due(step - 1)
}

interface Event {
  readonly event: string
  readonly data: string
}

function event(kind: 'in_progress' | 'partial_image' | 'completed', data: object): Event {
  const type = `image_generation.${kind}`
  return { event: type, data: JSON.stringify({ type, created_at: Math.floor(Date.now() / 1000), ...data }) }
}

/** A pixel a latent: `size` says how small it is. */
async function partialImage(preview: DitImage, at: object): Promise<Event> {
  const b64_json = base64(await preview.toPng())
  return event('partial_image', { ...COMMON, b64_json, size: `${preview.width}x${preview.height}`, ...at })
}

/** Writes what there is until the end of it. */
async function pass(news: News, stream: SSEStreamingApi): Promise<void> {
  const quiet = setInterval(() => void stream.write(': drawing\n\n'), QUIET)
  try {
    for await (const make of news) await stream.writeSSE(await make())
  } catch (error) {
    const refusal = refusalOf(error)
    if (!stream.aborted) await stream.writeSSE({ event: 'error', data: JSON.stringify(errorBody(refusal)) })
  } finally {
    clearInterval(quiet)
  }
}

/** What is yet to be written, in order. */
class News {
  readonly #events: (() => Promise<Event>)[] = []
  #end: { readonly error: unknown } | undefined
  #wake = () => {}

  add(make: () => Promise<Event>): void {
    this.#events.push(make)
    this.#wake()
  }

  /** Nothing more comes: with an error, or because all is there. */
  end(error?: unknown): void {
    this.#end = { error }
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<() => Promise<Event>> {
    for (;;) {
      const next = this.#events.shift()
      if (next) yield next
      else if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
