import { decode } from 'fast-png'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { PREVIEW_FILE } from '../../src/pipelines/preview.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { createApp } from '../../src/server/api/app.ts'
import { type Listening, listen } from '../../src/server/listen.ts'
import type { Serving } from '../../src/server/serving.ts'
import { folder } from '../fuzz/fixtures.ts'
import { Random } from '../fuzz/random.ts'
import { capacity, counts, figure, overload } from '../overload/load.ts'
import { testDevice } from '../support/device.ts'
import { MODEL, testServing } from './test_drawer.ts'

// A whole server over a small model on the real device.

/** A small picture. */
const SMALL = { size: '48x32', use_resolution_binning: false, max_sequence_length: 16 }
const CALL: PipelineOptions = { height: 32, width: 48, useResolutionBinning: false, maxSequenceLength: 16 }

let pipe: Pipeline
let serving: Serving
let listening: Listening
let address = ''
beforeAll(async () => {
  // With a map for pictures of what is forming, which this model has not.
  const weights = [0, 1, 2].map((colour) => [0, 1, 2, 3].map((channel) => Number(colour === channel)))
  const map = new TextEncoder().encode(JSON.stringify({ weights, bias: [0, 0, 0] }))
  const source = memorySource(new Map([...folder(MODEL), [PREVIEW_FILE, map]]))
  pipe = await DiffusionPipeline.fromPretrained(source, { device: await testDevice() })
  serving = await testServing([{ draw: (prompts, call) => pipe(prompts, call), close: async () => pipe.dispose() }], {
    limits: { queue: 12 },
  })
  listening = await listen(createApp(serving), '127.0.0.1', 0)
  address = `http://127.0.0.1:${listening.port}`
})
afterAll(async () => {
  await listening.close()
  await serving.feed.close()
})

const post = (body: object, signal?: AbortSignal) =>
  fetch(`${address}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...SMALL, ...body }),
    signal,
  })

const pixelsOf = (base64: string) => decode(Buffer.from(base64, 'base64')).data

/** The greatest difference of two pictures' bytes. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length)
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])))
}

describe('a server on a device', () => {
  it('draws requests of one shape together, each as it would be alone', async () => {
    const requests = [
      { prompt: 'a cat', seed: 3, num_inference_steps: 1 },
      { prompt: 'a longer text about apples', seed: 11, num_inference_steps: 2 },
      { prompt: 'dog', seed: 4, num_inference_steps: 2 },
    ]
    const answers = await Promise.all(requests.map(async (request) => (await post(request)).json()))
    expect(await figure(address, 'webdit_batch_pictures_sum')).toBe(3)
    expect(await figure(address, 'webdit_batch_pictures_count')).toBe(2)
    for (const [i, { prompt, seed, num_inference_steps }] of requests.entries()) {
      const { images } = await pipe(prompt, { ...CALL, seed, numInferenceSteps: num_inference_steps })
      // What float32 rounds otherwise in a batch may tip a byte.
      expect(apart(pixelsOf(answers[i].data[0].b64_json), images[0].data)).toBeLessThanOrEqual(1)
    }
  })

  it('gives an unmodified OpenAI client its picture, streamed and not', async () => {
    const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none' })
    const asked = { prompt: 'a cat', n: 1, seed: 9, num_inference_steps: 4, ...SMALL } as unknown as {
      prompt: string
    }
    const whole = await client.images.generate(asked)
    const pixels = pixelsOf(whole.data![0].b64_json!)
    const stream = await client.images.generate({ ...asked, stream: true, partial_images: 1 })
    const events: string[] = []
    let [streamed, forming] = ['', 0]
    for await (const event of stream) {
      events.push(event.type)
      if (event.type === 'image_generation.partial_image') forming = pixelsOf(event.b64_json).length
      if (event.type === 'image_generation.completed') streamed = event.b64_json
    }
    expect(events.filter((type) => type !== 'image_generation.in_progress')).toEqual([
      'image_generation.partial_image',
      'image_generation.completed',
    ])
    expect([events.length, forming]).toEqual([6, 6 * 4 * 3])
    expect(pixelsOf(streamed)).toEqual(pixels)
    await expect(client.images.generate({ ...asked, n: 99 })).rejects.toThrow('400 n is 99, expected')
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['tiny'])
  })

  it('frees the place of a client that hangs up within one step', async () => {
    const steps = 100
    const before = await figure(address, 'webdit_denoising_steps_total')
    const stop = new AbortController()
    const response = await post({ prompt: 'a cat', num_inference_steps: steps, stream: true }, stop.signal)
    const reader = response.body!.getReader()
    await reader.read() // a step was told of
    const left = post({ prompt: 'waits', num_inference_steps: 1 })
    stop.abort()
    expect((await left).status).toBe(200)
    // Steps that were told of before the client left, the one that ran, and the one of who waited.
    const ran = (await figure(address, 'webdit_denoising_steps_total')) - before
    expect(ran).toBeLessThan(10)
    expect(await figure(address, 'webdit_drawing_pictures')).toBe(0)
  })

  it('turns away what is too much, answers all that it took, and is as before', async () => {
    // npm run test:overload has the long form, and looks at the memory.
    const random = new Random(1, 0)
    const rate = await capacity(address, 0.3, 2)
    // A machine that is busy draws few a second; there are to be some who hang up all the same.
    const asked = { rate: Math.max(10 * rate, 60), seconds: 1, hangUps: 0.1, random: () => random.next() }
    const answers = await overload(address, asked)
    expect(answers.filter(({ fault }) => fault !== undefined)).toEqual([])
    const { 200: drawn, 429: refused, '-1': _hungUp, ...others } = counts(answers)
    expect([drawn > 0, refused > 0, others]).toEqual([true, true, {}])
    await expect.poll(() => figure(address, 'webdit_queue_pictures')).toBe(0)
    await expect.poll(() => figure(address, 'webdit_drawing_pictures')).toBe(0)
  })
})
