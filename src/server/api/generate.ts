import type { Context } from 'hono'
import { Refusal } from '../refusal.ts'
import { base64, type Serving } from '../serving.ts'
import type { App } from './app.ts'
import { generateRequest, XDIT_SEED } from './generate_request.ts'
import { pictureRequest } from './picture_request.ts'
import { readBody } from './read_body.ts'

/** POST /generate, as xDiT's HTTP service has it (entrypoints/launch.py). */
export function generateRoute(serving: Serving) {
  const schema = generateRequest(serving.o.limits)
  return async (c: Context<App>): Promise<Response> => {
    const body = readBody(schema, await c.req.arrayBuffer())
    if (body.save_disk_path !== undefined) {
      throw new Refusal(400, 'no_paths', 'save_disk_path is given, and requests do not say where files go', {
        hint: 'Leave it out: the picture is in "output" of the answer, as base64.',
        param: 'save_disk_path',
      })
    }
    const { width, height, cfg, seed = XDIT_SEED, deadline } = body
    const request = pictureRequest(body, { width, height, guidanceScale: cfg, seeds: [seed] })
    const began = performance.now()
    const { job, size } = serving.begin(request, { client: c.get('client'), signal: c.req.raw.signal, deadline })
    const [drawn] = await job.done
    const output = base64(await serving.png(drawn, request, size))
    const seconds = (performance.now() - began) / 1000
    return c.json({
      message: 'Image generated successfully',
      elapsed_time: `${seconds.toFixed(2)} sec`,
      output,
      save_to_disk: false,
    })
  }
}
