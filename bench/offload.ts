// npm run bench -- offload [--model NAME] [--layers N] [--height H] [--width W] [--steps S] [--weights FORMAT] [--turns T]
// What a step takes with all blocks on the device (--offload components) and with two at a time (blocks), in turns, and what their
// bytes alone take. A published model's shapes with random weights; text encoders have two layers, since texts are not timed.
import { parseArgs } from 'node:util'
import { NETWORKS, prepareComponent } from '../src/models/component.ts'
import { componentFormats } from '../src/pipelines/component_formats.ts'
import { DiffusionPipeline } from '../src/pipelines/diffusion_pipeline.ts'
import type { OffloadMode } from '../src/pipelines/offload.ts'
import { RANDOM_MODELS, type RandomModel } from '../src/pipelines/random_models/models.ts'
import { randomSourceOf } from '../src/pipelines/random_models/random_source.ts'
import { Device } from '../src/runtime/device.ts'
import { openPlatform } from '../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../src/runtime/recorder.ts'
import type { Parameters } from '../src/runtime/weights/parameters.ts'

const LAYERS = ['num_layers', 'num_single_layers', 'num_hidden_layers']
const TEXT_LAYERS = 2

await ensureVulkan()
const { values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'pixart-sigma' },
    layers: { type: 'string', default: '1000' },
    height: { type: 'string', default: '1024' },
    width: { type: 'string', default: '1024' },
    steps: { type: 'string', default: '4' },
    weights: { type: 'string', default: 'f16' },
    turns: { type: 'string', default: '2' },
  },
})
const { networks, ...rest } = RANDOM_MODELS[values.model]
const source = await randomSourceOf({ ...rest, networks: shallow(networks) }, values.model)
const device = await Device.open(await openPlatform())
const call = {
  height: Number(values.height),
  width: Number(values.width),
  numInferenceSteps: Number(values.steps),
  useResolutionBinning: /pixart|hunyuan/.test(values.model) ? false : undefined,
  seed: 1,
  outputType: 'latent',
} as const

const bytes = await uploads()
console.log(
  `${values.model}, ${call.height} x ${call.width}, weights ${values.weights}, on ${device.name}, tier ${device.tier}: ` +
    `${gigabytes(bytes.all)} of blocks, in ${bytes.seconds.toFixed(3)} s without computing, ${gigabytes(bytes.all / bytes.seconds)}/s`,
)
for (let turn = 1; turn <= Number(values.turns); turn++) {
  const [resident, streamed] = [await timed('components'), await timed('blocks')]
  console.log(
    `turn ${turn}: ${resident.step.toFixed(3)} s a step with components, ${streamed.step.toFixed(3)} s with blocks, ` +
      `${(streamed.step / resident.step).toFixed(2)}x; weights and activations at most ` +
      `${gigabytes(resident.most)} and ${gigabytes(streamed.most)}`,
  )
}
device.close()

/** Fewer layers, all of what else there is. */
function shallow(all: RandomModel['networks']): RandomModel['networks'] {
  const entries = Object.entries(all).map(([folder, [network, config]]) => {
    const most = folder === 'transformer' ? Number(values.layers) : TEXT_LAYERS
    const changed = Object.fromEntries(
      LAYERS.filter((key) => typeof config[key] === 'number').map((key) => [
        key,
        Math.min(most, config[key] as number),
      ]),
    )
    return [folder, [network, { ...config, ...changed }]] as const
  })
  return Object.fromEntries(entries) as RandomModel['networks']
}

/** All blocks of the transformer in turn, with nothing to compute; the first pass, which has some already, is not timed. */
async function uploads(): Promise<{ all: number; seconds: number }> {
  const [network] = networks.transformer
  const classes = Object.fromEntries(Object.entries(networks).map(([folder, [of]]) => [folder, of]))
  const { transformer: format } = componentFormats(values.weights, classes)
  const part = await prepareComponent(device, network, source, 'transformer', { streamed: true, format })
  await part.load()
  const { parameters } = NETWORKS[network] as unknown as { parameters(config: unknown): Parameters }
  const names = [...parameters(part.config).all].filter(([, { at }]) => typeof at === 'number').map(([name]) => name)
  const blocks = new Set(names.map((name) => /^.*?\.\d+/.exec(name)![0]))
  const g = new Recorder(device)
  const pass = async () => {
    for (const block of blocks) await part.weights.at(block).using(g, async () => {})
    await device.finished()
  }
  await pass()
  const began = performance.now()
  await pass()
  const seconds = (performance.now() - began) / 1000
  const all = part.weights.hostBytes
  part.weights.dispose()
  return { all, seconds }
}

/** A step of the second call, which loads nothing: texts are known, and the transformer stays. And the most memory. */
async function timed(offload: OffloadMode): Promise<{ step: number; most: number }> {
  const own = device.sibling()
  const pipe = await DiffusionPipeline.fromPretrained(source, { device: own, offload, weights: values.weights })
  await pipe('a red apple', { ...call, numInferenceSteps: 1 })
  const began = performance.now()
  await pipe('a red apple', call)
  const step = (performance.now() - began) / 1000 / call.numInferenceSteps
  pipe.dispose()
  const most = own.arena.peakWithWeights
  own.close()
  return { step, most }
}

function gigabytes(count: number): string {
  return `${(count / 1e9).toFixed(2)} GB`
}
