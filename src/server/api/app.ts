import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { routePath } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Gate } from '../access.ts'
import { Refusal } from '../refusal.ts'
import type { Serving } from '../serving.ts'
import { errorBody, refusalOf } from './errors.ts'
import { generateRoute } from './generate.ts'
import { filesRoute, imagesRoute } from './images.ts'
import { openApiDocument } from './openapi.ts'
import { pageRoute } from './page.ts'

/** What the routes know of a request beside itself. */
export interface App {
  readonly Bindings: {
    /** Of the other side. */
    readonly address?: string
  }
  readonly Variables: {
    /** Whose turn it is in the queue. */
    client: string
  }
}

/** All routes: a function from requests to answers, the same in every runtime. */
export function createApp(serving: Serving): Hono<App> {
  const { limits, corsOrigins = [], model } = serving.o
  const app = new Hono<App>()
  app.use(counted(serving))
  if (corsOrigins.length > 0) app.use(cors({ origin: [...corsOrigins] }))
  const gate = new Gate(serving.o.access)
  app.use(async (c, next) => {
    gate.checkHost(c.req.header('host'))
    await next()
  })
  const keyed: MiddlewareHandler<App> = async (c, next) => {
    c.set('client', gate.client(c.req.header('authorization'), c.env?.address))
    await next()
  }
  const draws = [keyed, onlyJson, bounded(limits.body)] as const

  app.post('/v1/images/generations', ...draws, imagesRoute(serving))
  app.get('/v1/images/files/:file', filesRoute(serving))
  app.post('/generate', ...draws, generateRoute(serving))
  app.get('/v1/models', keyed, (c) =>
    c.json({ object: 'list', data: [{ id: model.id, object: 'model', created: model.since, owned_by: 'webdit' }] }),
  )
  app.get('/healthz', (c) => c.text('ok\n'))
  app.get('/readyz', (c) => (serving.feed.ready ? c.text('ready\n') : c.text('nothing can draw\n', 503)))
  app.get('/metrics', keyed, async (c) =>
    c.body(await serving.metrics.text(), 200, { 'Content-Type': serving.metrics.contentType }),
  )
  app.get('/openapi.json', (c) => c.json(openApiDocument(serving)))
  app.notFound(pageRoute(serving))
  app.onError((error, c) => {
    const refusal = refusalOf(error)
    if (refusal.status === 500) serving.o.onNote(`error: ${said(refusal.cause ?? refusal)}`)
    if (refusal.retryAfter !== undefined) c.header('Retry-After', String(refusal.retryAfter))
    if (refusal.status === 401) c.header('WWW-Authenticate', 'Bearer')
    return c.json(errorBody(refusal), refusal.status as ContentfulStatusCode)
  })
  return app
}

/** A page elsewhere can send other kinds of bodies here without being allowed to. */
const onlyJson: MiddlewareHandler<App> = async (c, next) => {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    const is = type === '' ? 'is missing' : `is ${JSON.stringify(type.slice(0, 80))}`
    throw new Refusal(415, 'bad_content_type', `the header Content-Type ${is}, expected application/json`)
  }
  await next()
}

const bounded = (bytes: number) =>
  bodyLimit({
    maxSize: bytes,
    onError() {
      throw new Refusal(413, 'too_large', `the body is larger than ${bytes} bytes`)
    },
  })

/** Counts answers by the route's own name, never by what a request calls itself. */
const counted =
  ({ metrics }: Serving): MiddlewareHandler<App> =>
  async (c, next) => {
    await next()
    metrics.requests.inc({ route: routePath(c, -1), status: String(c.res.status) })
  }

const said = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
