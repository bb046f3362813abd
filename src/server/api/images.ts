import type { Context } from 'hono'
import { Refusal } from '../refusal.ts'
import { base64, type Serving, seedsFor } from '../serving.ts'
import type { App } from './app.ts'
import { imagesRequest, sizeOf } from './images_request.ts'
import { streamImages } from './images_stream.ts'
import { pictureRequest } from './picture_request.ts'
import { readBody } from './read_body.ts'

/** POST /v1/images/generations, as OpenAI has it. */
export function imagesRoute(serving: Serving) {
  const schema = imagesRequest(serving.o.limits)
  return async (c: Context<App>): Promise<Response> => {
    const body = readBody(schema, await c.req.arrayBuffer())
    checkModel(serving, body.model)
    const request = pictureRequest(body, {
      ...sizeOf(body),
      seeds: seedsFor(body.n ?? 1, body.seed),
      guidanceScale: body.guidance_scale,
    })
    const about = { client: c.get('client'), signal: c.req.raw.signal, deadline: body.deadline }
    if (body.stream) return streamImages(c, serving, request, { ...about, partial: body.partial_images ?? 0 })
    const { job, size } = serving.begin(request, about)
    const drawn = await job.done
    const data: { b64_json?: string; url?: string; seed: number }[] = []
    for (const one of drawn) {
      const png = await serving.png(one, request, size)
      const given =
        body.response_format === 'url'
          ? { url: new URL(`/v1/images/files/${serving.store.keep(png)}.png`, c.req.url).href }
          : { b64_json: base64(png) }
      data.push({ ...given, seed: one.seed })
    }
    const warnings = [...new Set(drawn.flatMap((one) => one.warnings))]
    return c.json({
      created: Math.floor(Date.now() / 1000),
      background: 'opaque',
      output_format: 'png',
      size: `${size.width}x${size.height}`,
      data,
      ...(warnings.length > 0 && { warnings }),
    })
  }
}

/** @throws Refusal 404 for another model than the one that is served */
function checkModel({ o: { model } }: Serving, asked: string | undefined): void {
  if (asked === undefined || asked === model.id) return
  const message = `there is no model ${JSON.stringify(asked.slice(0, 80))}`
  const hint = `This server has ${model.id}; leave the field out, or see GET /v1/models.`
  throw new Refusal(404, 'model_not_found', message, { hint, param: 'model' })
}

/** GET /v1/images/files/NAME.png: a picture that was asked for as an address. */
export function filesRoute({ store }: Serving) {
  return (c: Context<App, '/v1/images/files/:file'>): Response => {
    const png = store.find(c.req.param('file').replace(/\.png$/, ''))
    if (!png) throw new Refusal(404, 'not_found', 'there is no picture of that name, or not any more')
    return c.body(png, 200, { 'Content-Type': 'image/png', 'Cache-Control': 'private, max-age=3600' })
  }
}
