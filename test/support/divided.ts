import { type Component, loadComponent } from '../../src/models/component.ts'
import { type PixArtText, pixartTransformer } from '../../src/models/pixart/transformer.ts'
import { Crew } from '../../src/parallel/crew/crew.ts'
import { dealt } from '../../src/parallel/crew/dealt.ts'
import { weightShareOf } from '../../src/parallel/crew/stages.ts'
import { type DenoiseOptions, type DenoisingNetwork, denoise } from '../../src/pipelines/denoise.ts'
import { encodeCaptions, pixartNetwork } from '../../src/pipelines/pixart_network.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import type { WeightFormat } from '../../src/runtime/weights/weight_formats.ts'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'
import type { TestRank } from './ranks.ts'

/** Pictures to be, on the host: captions of both branches, and noise. */
export interface Pictures {
  readonly count: number
  readonly height: number
  readonly width: number
  readonly textLength: number
  /** [2, pictures, textLength, channels]: without the prompt, then with it. */
  readonly captions: Float32Array
  readonly captionChannels: number
  /** [2, pictures, textLength]. */
  readonly mask: Float32Array
  /** Latents in and out, [pictures, channels, height, width]. */
  readonly channels: number
  readonly guidance: number
  /** Of each picture. Default: those of the schedule. */
  readonly timesteps?: readonly number[]
}

/** A transformer of which this rank has its part. */
export const loadPart = (
  { device, ranks }: TestRank,
  source: Source,
  format?: WeightFormat,
): Promise<Component<'PixArtTransformer2DModel'>> =>
  loadComponent(device, 'PixArtTransformer2DModel', source, '', {
    format,
    share: ({ layers }) => weightShareOf(ranks, layers),
  })

/** Denoises from `latents` in a crew; the final latents of this rank's pictures, where it leads. */
export async function denoisePart(
  rank: TestRank,
  transformer: Component<'PixArtTransformer2DModel'>,
  pictures: Pictures,
  latents: Float32Array,
  scheduler: Scheduler,
  onStep?: DenoiseOptions['onStep'],
): Promise<Float32Array | undefined> {
  const { g, ranks } = rank
  const { config } = transformer
  const mine = dealt(ranks, pictures.count)
  const count = mine.end - mine.first
  if (count === 0) return undefined
  const { height, width, channels } = pictures
  const crew = new Crew(ranks, {
    blocks: config.layers,
    grid: { rows: height / config.patch, columns: width / config.patch },
    steps: scheduler.timesteps.length,
    guided: true,
  })
  const branches = [0, 1].slice(crew.branches.first, crew.branches.end)
  const rows = branches.flatMap((branch) =>
    Array.from({ length: count }, (_, k) => branch * pictures.count + mine.first + k),
  )
  const of = (values: Float32Array) => {
    const size = values.length / (2 * pictures.count)
    const out = new Float32Array(rows.length * size)
    for (const [k, row] of rows.entries()) out.set(values.subarray(row * size, (row + 1) * size), k * size)
    return out
  }
  try {
    const captions = g.upload(of(pictures.captions), [rows.length, pictures.textLength, pictures.captionChannels])
    const text = await encodeCaptions(g, transformer, captions, of(pictures.mask), crew.blocks)
    const size = latents.length / pictures.count
    const shape = [count, channels, height, width]
    const network = pixartNetwork(transformer, {
      text,
      batch: rows.length,
      latents: { channels, width },
      size: { height: height * 8, width: width * 8 },
      guidance: pictures.guidance,
    })
    const timesteps = rows.map((row) => pictures.timesteps?.[row % pictures.count] ?? 0)
    const options: DenoiseOptions = {
      crew,
      network: pictures.timesteps ? { ...network, forward: forwardAt(transformer, text, timesteps) } : network,
      latents: g.upload(latents.slice(mine.first * size, mine.end * size), shape),
      scheduler,
      onStep,
    }
    const final = await denoise(g, options)
    return final && crew.leads ? await g.read(final) : undefined
  } finally {
    crew.end(g)
    g.reset()
  }
}

/** The network's pass at timesteps of each batch entry's own, whatever the scheduler says. */
const forwardAt =
  (
    { config, weights }: Component<'PixArtTransformer2DModel'>,
    text: PixArtText,
    timesteps: readonly number[],
  ): DenoisingNetwork['forward'] =>
  async (g, { latents, activations }, execution) => [
    await pixartTransformer(g, config, weights, { latents, timesteps, text, hidden: activations?.[0] }, execution),
  ]

/**
 * The guided prediction of each step, from given latents before it: all steps in one pass, as pictures of their own.
 *
 * @param states latents of all pictures before each step
 * @param timesteps of the steps, the same for all pictures or those of each
 * @returns predictions of this rank's pictures, [pictures, steps, channels, height, width], where it leads
 */
export function predictEach(
  rank: TestRank,
  transformer: Component<'PixArtTransformer2DModel'>,
  pictures: Pictures,
  states: readonly Float32Array[],
  timesteps: ArrayLike<number> | readonly (readonly number[])[],
): Promise<Float32Array | undefined> {
  const { count } = pictures
  const ofEach = Array.isArray(timesteps[0])
    ? (timesteps as readonly (readonly number[])[])
    : Array.from({ length: count }, () => Array.from(timesteps as ArrayLike<number>))
  const steps = ofEach[0].length
  const repeated = (values: Float32Array) =>
    pieces(values, 2 * count).flatMap((of) => Array<Float32Array>(steps).fill(of))
  const all: Pictures = {
    ...pictures,
    count: count * steps,
    captions: concatenated(repeated(pictures.captions)),
    mask: concatenated(repeated(pictures.mask)),
    timesteps: ofEach.flat(),
  }
  return denoisePart(rank, transformer, all, byPicture(states.slice(0, steps), count), PREDICTION)
}

/** Values of all pictures at each step → [pictures, steps, values]. */
export function byPicture(steps: readonly Float32Array[], count: number): Float32Array {
  const cut = steps.map((values) => pieces(values, count))
  return concatenated(Array.from({ length: count }, (_, k) => cut.map((of) => of[k])).flat())
}

const pieces = (values: Float32Array, count: number): Float32Array[] => {
  const size = values.length / count
  return Array.from({ length: count }, (_, k) => values.subarray(k * size, (k + 1) * size))
}

/** A schedule of one step whose result is the guided prediction. */
const PREDICTION: Scheduler = {
  timesteps: [0],
  sigmas: [],
  initNoiseSigma: 1,
  takesEta: false,
  setTimesteps() {},
  scaleModelInput: () => 1,
  step: () => ({ order: 1, conv: { sample: 0, output: 1 }, next: { sample: 0, output: 1, d: [], noise: 0 } }),
}

/** Latents of all pictures, of what the leaders of the crews have. */
export const joined = (parts: readonly (Float32Array | undefined)[]): Float32Array =>
  concatenated(parts.filter((part) => part !== undefined))

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
