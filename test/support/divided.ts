import { type Component, loadComponent } from '../../src/models/component.ts'
import { Crew } from '../../src/parallel/crew/crew.ts'
import { dealt } from '../../src/parallel/crew/dealt.ts'
import { weightShareOf } from '../../src/parallel/crew/stages.ts'
import { type DenoiseOptions, denoise } from '../../src/pipelines/denoise.ts'
import { encodeCaptions, pixartNetwork } from '../../src/pipelines/pixart_network.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
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
}

/** A transformer of which this rank has its part. */
export const loadPart = ({ device, ranks }: TestRank, source: Source): Promise<Component<'PixArtTransformer2DModel'>> =>
  loadComponent(device, 'PixArtTransformer2DModel', source, '', { share: ({ layers }) => weightShareOf(ranks, layers) })

/** One way from latents to others. */
export interface Denoising {
  readonly latents: Float32Array
  readonly scheduler: Scheduler
  readonly onStep?: DenoiseOptions['onStep']
}

/** Denoises in a crew; the final latents of this rank's pictures, where it leads. */
export async function denoisePart(
  rank: TestRank,
  transformer: Component<'PixArtTransformer2DModel'>,
  pictures: Pictures,
  latents: Float32Array,
  scheduler: Scheduler,
  onStep?: DenoiseOptions['onStep'],
): Promise<Float32Array | undefined> {
  const [final] = await denoiseParts(rank, transformer, pictures, [{ latents, scheduler, onStep }])
  return final
}

/** Denoises the same pictures several times, one after the other, and reads their text once. */
export async function denoiseParts(
  { g, ranks }: TestRank,
  transformer: Component<'PixArtTransformer2DModel'>,
  pictures: Pictures,
  all: readonly Denoising[],
): Promise<(Float32Array | undefined)[]> {
  const { config } = transformer
  const mine = dealt(ranks, pictures.count)
  const count = mine.end - mine.first
  if (count === 0) return all.map(() => undefined)
  const { height, width, channels } = pictures
  const grid = { rows: height / config.patch, columns: width / config.patch }
  const crewFor = (steps: number) => new Crew(ranks, { blocks: config.layers, grid, steps, guided: true })
  const { blocks, branches } = crewFor(1)
  const rows = [0, 1]
    .slice(branches.first, branches.end)
    .flatMap((branch) => Array.from({ length: count }, (_, k) => branch * pictures.count + mine.first + k))
  const of = (values: Float32Array) => {
    const size = values.length / (2 * pictures.count)
    const out = new Float32Array(rows.length * size)
    for (const [k, row] of rows.entries()) out.set(values.subarray(row * size, (row + 1) * size), k * size)
    return out
  }
  let crew: Crew | undefined
  try {
    const captions = g.upload(of(pictures.captions), [rows.length, pictures.textLength, pictures.captionChannels])
    const network = pixartNetwork(transformer, {
      text: await encodeCaptions(g, transformer, captions, of(pictures.mask), blocks),
      batch: rows.length,
      latents: { channels, width },
      size: { height: height * 8, width: width * 8 },
      guidance: pictures.guidance,
    })
    const finals: (Float32Array | undefined)[] = []
    for (const { latents, scheduler, onStep } of all) {
      const size = latents.length / pictures.count
      const start = g.upload(latents.slice(mine.first * size, mine.end * size), [count, channels, height, width])
      crew = crewFor(scheduler.timesteps.length)
      const final = await denoise(g, { crew, network, latents: start, scheduler, onStep })
      finals.push(final && crew.leads ? await g.read(final) : undefined)
      crew.end(g)
    }
    return finals
  } finally {
    crew?.end(g)
    g.reset()
  }
}

/** A schedule of one step whose result is the guided prediction. */
export const predictionAt = (timestep: number): Scheduler =>
  ({
    timesteps: [timestep],
    sigmas: [],
    initNoiseSigma: 1,
    takesEta: false,
    setTimesteps() {},
    scaleModelInput: () => 1,
    step: () => ({ order: 1, conv: { sample: 0, output: 1 }, next: { sample: 0, output: 1, d: [], noise: 0 } }),
  }) satisfies Scheduler

/** Latents of all pictures, of what the leaders of the crews have. */
export function joined(parts: readonly (Float32Array | undefined)[]): Float32Array {
  const leaders = parts.filter((part) => part !== undefined)
  const out = new Float32Array(leaders.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of leaders) {
    out.set(part, at)
    at += part.length
  }
  return out
}
