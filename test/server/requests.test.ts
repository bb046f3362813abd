import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/server/api/app.ts'
import { gate, TestDrawer, testServing } from './test_drawer.ts'

const JSON_TYPE = { 'content-type': 'application/json', host: 'localhost:8000' }

async function serverOf(options: Parameters<typeof testServing>[1] = {}) {
  const drawer = new TestDrawer()
  const serving = await testServing([drawer], options)
  const app = createApp(serving)
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { host: 'localhost', ...headers } })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { ...JSON_TYPE, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { drawer, serving, app, get, post }
}

const IMAGES = '/v1/images/generations'
// biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not worked with
const json = async (response: Response | Promise<Response>): Promise<any> => (await response).json()

describe('POST /v1/images/generations', () => {
  it('answers with PNGs that carry what drew them, from a seed and those after it', async () => {
    const { drawer, post } = await serverOf()
    const body = {
      prompt: 'red apple',
      negative_prompt: 'blurry',
      n: 2,
      size: '48x32',
      seed: 7,
      num_inference_steps: 3,
    }
    const answer = await json(post(IMAGES, body))
    expect(answer).toMatchObject({ size: '48x32', output_format: 'png', data: [{ seed: 7 }, { seed: 8 }] })
    const { width, height, text } = decode(Buffer.from(answer.data[1].b64_json, 'base64'))
    expect([width, height]).toEqual([48, 32])
    expect(text).toMatchObject({ prompt: 'red apple', negative_prompt: 'blurry', seed: '8', num_inference_steps: '3' })
    const [{ prompts, call }] = drawer.calls
    expect(prompts).toEqual(['red apple', 'red apple'])
    expect(call).toMatchObject({ height: 32, width: 48, seed: [7, 8], negativePrompt: ['blurry', 'blurry'] })
  })

  it('gives an address for a while, which nobody guesses and no path leads out of', async () => {
    const { post, get } = await serverOf()
    const { data } = await json(post(IMAGES, { prompt: 'x', response_format: 'url' }))
    const path = new URL(data[0].url).pathname
    const picture = await get(path)
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/png'])
    decode(new Uint8Array(await picture.arrayBuffer()))
    for (const other of [
      '/v1/images/files/x.png',
      '/v1/images/files/..%2f..%2fpackage.json',
      '/package.json',
      '/etc/passwd',
    ]) {
      expect([other, (await get(other)).status]).toEqual([other, 404])
    }
  })

  it.each([
    [{}, 'prompt is missing, expected a text'],
    [{ prompt: '' }, 'prompt is "", expected a text that says what to draw'],
    [{ prompt: 'x', n: 11 }, 'n is 11, expected a whole number from 1 to 10'],
    [{ prompt: 'x', size: '10x' }, 'size is "10x", expected auto, or WIDTHxHEIGHT in pixels up to 2048x2048'],
    [{ prompt: 'x', size: '4096x32' }, 'size is "4096x32", expected auto, or WIDTHxHEIGHT'],
    [{ prompt: 'x', size: '45x32', use_resolution_binning: false }, 'width is 45, which 16 does not divide'],
    [{ prompt: 'x', num_inference_steps: 101 }, 'num_inference_steps is 101, expected a whole number from 1 to 100'],
    [{ prompt: 'x', num_inference_step: 5 }, 'did you mean num_inference_steps?'],
    [{ prompt: 'x', clip_skip: 1 }, 'clip_skip is given, which PixArtSigmaPipeline does not take'],
    [{ prompt: 'x', seed: -1 }, 'seed is -1, expected a whole number from 0 to 9007199254740991'],
    [{ prompt: 'x', output_format: 'webp' }, 'output_format is "webp", expected png'],
    [{ prompt: 'x', deadline: 601 }, 'deadline is 601, expected a number from 0.001 to 600'],
    ['{"prompt": "x"', 'the body is no JSON'],
    ['', 'the body is empty'],
    ['[1]', 'the body is a list, expected a JSON object'],
  ])('says what is wrong with %j', async (body, message) => {
    const { post, drawer } = await serverOf()
    const response = await post(IMAGES, body)
    const { error, detail } = await json(response)
    expect([response.status, error.type, detail]).toEqual([400, 'invalid_request_error', error.message])
    expect(error.message).toContain(message)
    expect(drawer.calls).toEqual([])
  })

  it('knows its own model alone', async () => {
    const { post, get } = await serverOf()
    expect((await post(IMAGES, { prompt: 'x', model: 'tiny' })).status).toBe(200)
    expect(await json(post(IMAGES, { prompt: 'x', model: 'gpt-image-1' }))).toMatchObject({
      error: { code: 'model_not_found', param: 'model' },
    })
    expect(await json(get('/v1/models'))).toMatchObject({ object: 'list', data: [{ id: 'tiny', object: 'model' }] })
  })

  it('bounds bodies, and takes no other kind than JSON', async () => {
    const { post } = await serverOf({ limits: { body: 1024 } })
    expect((await post(IMAGES, { prompt: 'x'.repeat(2000) })).status).toBe(413)
    expect((await post(IMAGES, { prompt: 'x' }, { 'content-type': 'text/plain' })).status).toBe(415)
  })

  it('gives up what a client that leaves asked for', async () => {
    const { app, drawer, serving } = await serverOf()
    const hold = gate()
    drawer.before = () => hold.opened
    const stop = new AbortController()
    const asked = app.request(IMAGES, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"prompt": "x"}',
      signal: stop.signal,
    })
    await expect.poll(() => drawer.calls.length).toBe(1)
    stop.abort()
    expect(drawer.calls[0].call.signal?.aborted).toBe(true)
    hold.open()
    expect((await asked).status).toBe(499)
    expect(await serving.metrics.text()).toContain('webdit_pictures_total{outcome="unwanted"} 1')
  })
})

describe('POST /generate', () => {
  it("answers as xDiT's service", async () => {
    const { post, drawer } = await serverOf()
    const answer = await json(
      post('/generate', { prompt: 'a cute rabbit', num_inference_steps: 5, cfg: 7.5, height: 32, width: 48 }),
    )
    expect(answer).toMatchObject({ message: 'Image generated successfully', save_to_disk: false })
    expect(answer.elapsed_time).toMatch(/^\d+\.\d\d sec$/)
    expect(decode(Buffer.from(answer.output, 'base64'))).toMatchObject({ width: 48, height: 32 })
    expect(drawer.calls[0].call).toMatchObject({ seed: [42], guidanceScale: 7.5, numInferenceSteps: 5 })
  })

  it('writes nothing where a request says', async () => {
    const { post, drawer } = await serverOf()
    const response = await post('/generate', { prompt: 'x', save_disk_path: '/tmp' })
    expect([response.status, (await json(response)).detail]).toEqual([400, expect.stringContaining('save_disk_path')])
    expect(drawer.calls).toEqual([])
  })
})

describe('who may ask', () => {
  it('is whoever has a key, where keys are asked for', async () => {
    const { post, get } = await serverOf({ access: { keys: ['secret'], loopback: false } })
    const asked = (authorization?: string) => post(IMAGES, { prompt: 'x' }, authorization ? { authorization } : {})
    expect((await asked()).status).toBe(401)
    expect((await asked('Bearer wrong')).status).toBe(401)
    expect((await asked('Bearer secret')).status).toBe(200)
    expect((await get('/metrics')).status).toBe(401)
    expect((await get('/v1/models')).status).toBe(401)
    expect([(await get('/healthz')).status, (await get('/readyz')).status]).toEqual([200, 200])
  })

  it('is no page that has another name for this machine', async () => {
    const { post } = await serverOf()
    expect((await post(IMAGES, { prompt: 'x' }, { host: 'evil.example:8000' })).status).toBe(403)
    expect((await post(IMAGES, { prompt: 'x' }, { host: '127.0.0.1:8000' })).status).toBe(200)
    expect((await post(IMAGES, { prompt: 'x' }, { host: '[::1]:8000' })).status).toBe(200)
  })

  it('is no page of another origin, unless it was named', async () => {
    const preflight = { origin: 'https://example.org', 'access-control-request-method': 'POST', host: 'localhost' }
    const closed = await serverOf()
    const refused = await closed.app.request(IMAGES, { method: 'OPTIONS', headers: preflight })
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
    const open = await serverOf({ corsOrigins: ['https://example.org'] })
    const allowed = await open.app.request(IMAGES, { method: 'OPTIONS', headers: preflight })
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://example.org')
  })
})

describe('what else there is', () => {
  it('tells Prometheus what it did', async () => {
    const { post, get } = await serverOf()
    await post(IMAGES, { prompt: 'x', n: 2 })
    await post(IMAGES, { prompt: '' })
    await get('/no/such/../page')
    const text = await (await get('/metrics')).text()
    for (const line of [
      'webdit_http_requests_total{route="/v1/images/generations",status="200"} 1',
      'webdit_http_requests_total{route="/v1/images/generations",status="400"} 1',
      'webdit_http_requests_total{route="/*",status="404"} 1',
      'webdit_pictures_total{outcome="drawn"} 2',
      'webdit_denoising_steps_total 1',
      'webdit_queue_pictures 0',
      'webdit_meshes_open 1',
    ])
      expect(text).toContain(`\n${line}\n`)
  })

  it('describes itself, by the schemas that check', async () => {
    const { get } = await serverOf({ limits: { steps: 12 } })
    const { openapi, paths } = await json(get('/openapi.json'))
    expect([openapi, Object.keys(paths)]).toEqual([
      '3.1.0',
      ['/v1/images/generations', '/generate', '/v1/models', '/healthz', '/readyz', '/metrics'],
    ])
    const { schema } = paths['/generate'].post.requestBody.content['application/json']
    expect(schema.required).toEqual(['prompt'])
    expect(JSON.stringify(schema.properties.num_inference_steps)).toContain('"maximum":12')
  })

  it('is ready while something can draw', async () => {
    const { get, serving } = await serverOf()
    expect((await get('/readyz')).status).toBe(200)
    await serving.feed.close()
    expect([(await get('/readyz')).status, (await get('/healthz')).status]).toEqual([503, 200])
  })

  it('shows the page where it was built, else one that says what there is', async () => {
    const bytes = new TextEncoder().encode('<p>the demo</p>')
    const file = async (path: string) => (path === '/' ? { bytes, type: 'text/html' } : undefined)
    const built = await (await serverOf({ page: { file } })).get('/')
    expect([await built.text(), built.headers.get('cross-origin-opener-policy')]).toEqual([
      '<p>the demo</p>',
      'same-origin',
    ])
    const plain = await (await serverOf()).get('/')
    expect(await plain.text()).toContain('webdit serves tiny')
  })
})
