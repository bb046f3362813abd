import type { Context } from 'hono'
import { html } from 'hono/html'
import { Refusal } from '../refusal.ts'
import type { Serving } from '../serving.ts'
import type { App } from './app.ts'

/** Pages that share memory between threads need these. */
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

/** What no route answers: the demo page where it was built, else one that says what there is. */
export function pageRoute({ o: { page, model } }: Serving) {
  return async (c: Context<App>): Promise<Response> => {
    const asked = c.req.method === 'GET' || c.req.method === 'HEAD'
    const found = asked ? await page?.file(c.req.path) : undefined
    if (found) return c.body(found.bytes, 200, { 'Content-Type': found.type, ...ISOLATED })
    if (asked && c.req.path === '/') return c.html(plainPage(model.id))
    throw new Refusal(404, 'not_found', `there is no ${c.req.method} of this address`, { hint: 'See /openapi.json.' })
  }
}

const plainPage = (model: string) => html`<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <title>webdit serve</title>
  <h1>webdit serves ${model}</h1>
  <p>Pictures come from POST /v1/images/generations, as at OpenAI, and from POST /generate, as in xDiT:</p>
  <pre>curl ${'$'}URL/v1/images/generations -H "Content-Type: application/json" -d '{"prompt": "red apple"}'</pre>
  <p>
    <a href="/openapi.json">All routes</a>, <a href="/v1/models">models</a>, <a href="/metrics">figures</a>.
    The demo page would be here, had it been built: npm run demo:build.
  </p>
</html>`
