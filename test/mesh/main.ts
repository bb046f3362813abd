// npm run test:mesh -- [--ranks 3,5,6,7,8] [--sizes 128x128,144x112,128x192] [--only meshes|vae] [--out FILE]
// Divides the embedded model among ranks in every way whose result is to equal one device's, and compares each step's
// guided prediction and the final latents; then its autoencoder over 1, 2, 3, 5 and 8 ranks. Prints tables in Markdown, and
// writes them as they grow; exits with 1 where a row is over the tolerance.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { LocalMesh } from '../../src/parallel/crew/local_ranks.ts'
import { type Degrees, ONE_RANK, sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { networkOf } from '../../src/pipelines/family.ts'
import { encodeWithT5, tokenize } from '../../src/pipelines/text.ts'
import { Device } from '../../src/runtime/device.ts'
import { parseJson } from '../../src/runtime/json.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { randnTensor } from '../../src/schedulers/generator.ts'
import { createScheduler } from '../../src/schedulers/index.ts'
import { TorchGenerator } from '../../src/schedulers/torch_generator.ts'
import { denoisePart, joined, loadPart, type Pictures, predictEach } from '../support/divided.ts'
import { relativeL2 } from '../support/numbers.ts'
import { autoencoderRows } from './autoencoder.ts'
import { degreesText, factorisations } from './factorisations.ts'
import { Table } from './table.ts'

const MODEL = process.env.WEBDIT_MODEL ?? fileURLToPath(new URL('../../../models/emoji-pixart/', import.meta.url))
const STEPS = 8
const LIMITS = { prediction: 1e-5, latents: 2e-5 }
const PROMPTS = [
  'red apple',
  'rocket',
  'cactus and sun',
  'purple butterfly',
  'snowman',
  'blue fish',
  'pizza',
  'green car',
]

const { values } = parseArgs({
  options: {
    ranks: { type: 'string', default: '3,5,6,7,8' },
    sizes: { type: 'string', default: '128x128,144x112,128x192' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
})

const { only } = values
if (only !== undefined && only !== 'meshes' && only !== 'vae') throw new Error(`--only ${only}: meshes or vae`)

await ensureVulkan()
const device = await Device.open(await openPlatform(), { tier: 'f32' })
const source = await openFolder(join(MODEL, 'transformer'))
const captions = await encodePrompts()
const about = `${device.name}, tier f32, ${STEPS} steps: relative L2 against one device`
const meshes = new Table([
  'size',
  'ranks',
  'divided by',
  'pictures',
  'worst prediction of a step',
  'final latents',
  's',
])
const summary = new Table(['size', 'ranks', 'meshes', 'worst prediction of a step', 'worst final latents'])
const autoencoder = new Table(['size', 'half', 'ranks', 'relative L2', 'memory of the largest rank'])
let over = 0
for (const size of values.sizes.split(',')) {
  const [height, width] = size.split('x').map(Number)
  if (only !== 'vae') await meshesOf(size, height, width)
  if (only === 'meshes') continue
  for await (const outcome of autoencoderRows(MODEL, [height, width])) {
    if (outcome.over) over++
    add(autoencoder, outcome.cells)
  }
}
await source.close()
console.log(`\n${report()}\n\n${meshes.rows + autoencoder.rows} comparisons, ${over} over the limits`)
device.close()
process.exit(over > 0 ? 1 : 0)

function report(): string {
  return [about, ...[summary, autoencoder, meshes].filter(({ rows }) => rows > 0)].join('\n\n')
}

/** Prints a row, and writes what there is so far: a run may be cut off. */
function add(table: Table, cells: readonly (string | number)[]): void {
  console.log(table.add(cells))
  if (values.out) writeFileSync(values.out, `${report()}\n`)
}

async function meshesOf(size: string, height: number, width: number): Promise<void> {
  const references = new Map<number, Awaited<ReturnType<typeof reference>>>()
  for (const ranks of values.ranks.split(',').map(Number)) {
    const worst = { prediction: 0, latents: 0, meshes: 0 }
    for (const degrees of factorisations(ranks)) {
      const pictures = picturesOf(height, width, degrees.data)
      if (!references.has(degrees.data)) references.set(degrees.data, await reference(pictures))
      const { prediction, latents } = await row(size, degrees, pictures, references.get(degrees.data)!)
      worst.prediction = Math.max(worst.prediction, prediction)
      worst.latents = Math.max(worst.latents, latents)
      worst.meshes++
    }
    add(summary, [size, ranks, worst.meshes, worst.prediction.toExponential(1), worst.latents.toExponential(1)])
  }
}

async function encodePrompts(): Promise<{ hidden: Float32Array; mask: number[]; shape: readonly number[] }> {
  const pipe = await DiffusionPipeline.fromPretrained(MODEL, { device })
  const g = new Recorder(device)
  const tokens = tokenize(pipe.components.tokenizers.tokenizer, ['', ...PROMPTS], 16, 'prompt')
  const hidden = await encodeWithT5(g, networkOf(pipe.components, 'text_encoder', 'T5EncoderModel'), tokens)
  const out = { hidden: await g.read(hidden), mask: [...tokens.mask], shape: hidden.shape }
  g.reset()
  pipe.dispose()
  return out
}

function picturesOf(height: number, width: number, count: number): Pictures {
  const [, textLength, captionChannels] = captions.shape
  const row = (k: number) =>
    captions.hidden.subarray(k * textLength * captionChannels, (k + 1) * textLength * captionChannels)
  const maskRow = (k: number) => captions.mask.slice(k * textLength, (k + 1) * textLength)
  const entries = [...Array<number>(count).fill(0), ...Array.from({ length: count }, (_, k) => k + 1)]
  return {
    count,
    height: height / 8,
    width: width / 8,
    channels: 8,
    textLength,
    captionChannels,
    captions: Float32Array.from(entries.flatMap((k) => [...row(k)])),
    mask: Float32Array.from(entries.flatMap(maskRow)),
    guidance: 4.5,
  }
}

function schedule() {
  const path = join(MODEL, 'scheduler/scheduler_config.json')
  const scheduler = createScheduler(parseJson(readFileSync(path, 'utf8'), path))
  scheduler.setTimesteps(STEPS)
  return scheduler
}

/** What one device does: latents before each step and at the end, and the guided predictions. */
async function reference(pictures: Pictures) {
  const { count, channels, height, width } = pictures
  const noise = randnTensor([count, channels, height, width], new TorchGenerator(7))
  const [trace] = await onMesh(ONE_RANK, async (rank, part) => {
    const states = [noise]
    await denoisePart(rank, part, pictures, noise, schedule(), async (_step, _timestep, progress) => {
      states.push(await progress.latents())
    })
    const predictions = await predictEach(rank, part, pictures, states, schedule().timesteps)
    return { states, predictions: predictions! }
  })
  return trace
}

async function row(
  size: string,
  degrees: Degrees,
  pictures: Pictures,
  { states, predictions }: Awaited<ReturnType<typeof reference>>,
): Promise<{ prediction: number; latents: number }> {
  const began = performance.now()
  const results = await onMesh(degrees, async (rank, part) => {
    const guided = await predictEach(rank, part, pictures, states, schedule().timesteps)
    return { guided, final: await denoisePart(rank, part, pictures, states[0], schedule()) }
  })
  const seconds = (performance.now() - began) / 1000
  const guided = joined(results.map((rank) => rank.guided))
  const values = predictions.length / (pictures.count * STEPS)
  const worst = Math.max(
    ...Array.from({ length: pictures.count * STEPS }, (_, k) => {
      const [one, other] = [guided, predictions].map((all) => all.subarray(k * values, (k + 1) * values))
      return relativeL2(one, other)
    }),
  )
  const final = relativeL2(joined(results.map((r) => r.final)), states[STEPS])
  if (!(worst <= LIMITS.prediction && final <= LIMITS.latents)) over++
  add(meshes, [
    size,
    sizeOf(degrees),
    degreesText(degrees),
    pictures.count,
    worst.toExponential(1),
    final.toExponential(1),
    seconds.toFixed(1),
  ])
  return { prediction: worst, latents: final }
}

async function onMesh<T>(
  degrees: Degrees,
  body: (rank: Parameters<typeof denoisePart>[0], part: Parameters<typeof denoisePart>[1]) => Promise<T>,
): Promise<T[]> {
  const config: ParallelConfig = { ...ON_ONE_DEVICE, degrees }
  const mesh = new LocalMesh(device, config)
  try {
    return await Promise.all(
      mesh.ranks.map(async (local) => {
        const rank = { ...local, g: new Recorder(local.device) }
        try {
          const part = await loadPart(rank, source as Source)
          const result = await body(rank, part)
          part.weights.free()
          return result
        } catch (error) {
          mesh.fail(error)
          throw error
        }
      }),
    )
  } finally {
    await mesh.close()
  }
}
