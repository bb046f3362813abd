import { DitImage } from '../../../src/pipelines/image/image.ts'
import { modelFacts } from '../../../src/pipelines/model_facts.ts'
import type { PipelineOutput } from '../../../src/pipelines/options.ts'
import type { TeamOptions } from '../../../src/pipelines/team/team.ts'
import { DitError } from '../../../src/runtime/errors.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { createApp } from '../../../src/server/api/app.ts'
import type { Drawer } from '../../../src/server/drawer.ts'
import { DEFAULT_LIMITS } from '../../../src/server/limits.ts'
import { Serving } from '../../../src/server/serving.ts'
import { folder, GOLDEN, mutateFile } from '../fixtures.ts'
import type { Files, Mutation } from '../mutations/mutation.ts'
import type { Random } from '../random.ts'
import type { Subject } from './subject.ts'

const MODEL = 'pipeline_pixart_sigma'

/** Intact bodies, by the address that they are sent to. */
const BODIES: Record<string, object> = {
  '/v1/images/generations': {
    prompt: 'a red apple',
    model: MODEL,
    n: 2,
    size: '64x32',
    response_format: 'b64_json',
    seed: 7,
    num_inference_steps: 3,
    guidance_scale: 4.5,
    negative_prompt: 'blurry',
    use_resolution_binning: false,
    max_sequence_length: 16,
    deadline: 60,
    output_format: 'png',
    user: 'somebody',
  },
  '/v1/images/generations stream': {
    prompt: 'a dog',
    stream: true,
    partial_images: 2,
    size: '32x32',
    seed: 3,
    num_inference_steps: 4,
    use_resolution_binning: false,
  },
  '/generate': {
    prompt: 'a cute rabbit',
    num_inference_steps: 5,
    seed: 42,
    cfg: 7.5,
    height: 32,
    width: 48,
    use_resolution_binning: false,
  },
}

/** Bodies of requests: pictures of what was asked for, or an error that says which field is wrong. Never a 5xx. */
export const http: Subject = {
  name: 'http',
  variants: Object.keys(BODIES),
  files: (variant) => new Map([['body.json', new TextEncoder().encode(JSON.stringify(BODIES[variant]))]]),
  mutate: mutateBody,
  async run(files, variant) {
    const [path] = variant.split(' ')
    const response = await (await app()).request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', host: 'localhost' },
      body: files.get('body.json') as Uint8Array<ArrayBuffer>,
    })
    const text = await response.text()
    if (response.status === 200) return seeded(files) ? answerOf(text) : 'pictures at random'
    const { error } = JSON.parse(text)
    if (response.status >= 500) throw new Error(`status ${response.status}: ${error.message}`)
    // Which field it is, a program is told; a body without fields is called one.
    const named = typeof error.param === 'string' || /\bbody\b|^(width|height)\b/.test(error.message)
    if (!named) throw new Error(`an error that names no field: ${error.message}`)
    throw new DitError('bad-argument', `body.json: ${error.message}`)
  },
}

/** Changes that mean nothing to files and are refused here: unknown fields, which may be known ones misspelt, NaN, great length. */
function mutateBody(r: Random, path: string, bytes: Uint8Array): Mutation {
  const mutation = mutateFile(r, path, bytes)
  const { what, bytes: body } = mutation
  const refused = what.startsWith('an unknown key') || body.length > DEFAULT_LIMITS.body || parsed(body) === undefined
  return refused ? { ...mutation, neutral: false } : mutation
}

function parsed(bytes: Uint8Array): { seed?: unknown } | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

/** Without a seed, pictures are others every time. */
const seeded = (files: Files): boolean => typeof parsed(files.get('body.json') as Uint8Array)?.seed === 'number'

/** What does not change from one time to the next. */
function answerOf(text: string): unknown {
  const lasting = (value: object) => ({ ...value, created: 0, created_at: 0, elapsed_time: '' })
  if (!text.startsWith('event:')) return lasting(JSON.parse(text))
  const events = text.split('\n').filter((line) => line.startsWith('data: '))
  return events.map((line) => lasting(JSON.parse(line.slice('data: '.length))))
}

/** Paints what it is told to draw, so that a wrong option is another picture. */
const painter: Drawer = {
  async draw(prompts, call) {
    const steps = call.numInferenceSteps ?? 20
    for (let step = 1; step <= steps; step++) {
      await call.onStep?.({
        step,
        steps,
        timestep: 0,
        preview: async () => prompts.map((text, i) => paint(text, i, call, 4, 4)),
      })
    }
    const images = prompts.map((text, i) => paint(text, i, call, call.height ?? 32, call.width ?? 32))
    return {
      images,
      latents: { data: new Float32Array(), shape: [0] },
      warnings: [],
      seed: call.seed,
    } satisfies PipelineOutput
  },
  async close() {},
}

function paint(prompt: string, index: number, call: TeamOptions, height: number, width: number): DitImage {
  const { seed, negativePrompt, signal, onStep, ...rest } = call
  const asked = JSON.stringify([
    prompt,
    (seed as number[])[index],
    (negativePrompt as string[] | undefined)?.[index],
    rest,
  ])
  let h = 0x811c9dc5
  for (let i = 0; i < asked.length; i++) h = Math.imul(h ^ asked.charCodeAt(i), 0x01000193)
  return new DitImage(width, height, new Uint8Array(3 * width * height).fill(h >>> 24))
}

let opened: Promise<ReturnType<typeof createApp>> | undefined
function app(): Promise<ReturnType<typeof createApp>> {
  opened ??= modelFacts(memorySource(folder(`${GOLDEN}/${MODEL}`))).then((facts) =>
    createApp(
      new Serving([{ drawer: painter, open: async () => painter }], {
        model: { id: MODEL, facts, config: undefined, since: 0 },
        // Pictures of the largest size take as long to write as they would outside.
        limits: { ...DEFAULT_LIMITS, size: 64 },
        access: { keys: [], loopback: true },
        version: '0',
        onNote() {},
      }),
    ),
  )
  return opened
}
