// npm run bench -- mesh [--ranks 2,4,8] [--steps 8] [--layers 8] [--side 1024] [--cards] [--out FILE]
// Ranks in threads, with a device each on the same card or on several: transformer blocks as wide as FLUX.1's (24 heads of
// 128) with random weights, patches of PipeFusion going through them. Tells of seconds a step, of bytes, and of the share
// of a step in which a rank waits for bytes that are on their way. --cards: each rank opens the next card of the machine.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, SHARE_ENV, Worker, workerData } from 'node:worker_threads'
import { loadComponent } from '../../src/models/component.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { Crew } from '../../src/parallel/crew/crew.ts'
import type { Ranks } from '../../src/parallel/crew/ranks.ts'
import { weightShareOf } from '../../src/parallel/crew/stages.ts'
import { createSharedLinks, type SharedLinks } from '../../src/parallel/fabric/shared/shared_links.ts'
import { ONE_RANK, sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { exposedTransfer } from '../../src/parallel/trace/exposed.ts'
import type { Span } from '../../src/parallel/trace/timeline.ts'
import { type DenoiseOptions, denoise } from '../../src/pipelines/denoise.ts'
import { encodeCaptions, pixartNetwork } from '../../src/pipelines/pixart_network.ts'
import { takePlace } from '../../src/pipelines/team/place.ts'
import { type RankCard, rankCards } from '../../src/pipelines/team/rank_cards.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'
import { wideBlocks } from './wide_blocks.ts'

interface Job {
  readonly rank: number
  readonly config: ParallelConfig
  readonly links: SharedLinks
  readonly layers: number
  readonly side: number
  readonly steps: number
  readonly trace: boolean
  readonly card: RankCard | undefined
}

interface Result {
  /** Of the denoising loop. */
  readonly seconds: number
  readonly sent: [string, number][]
  readonly spans: Span[]
  readonly device: string
}

if (isMainThread) await main()
else await rank(workerData as Job)

async function rank({ rank, config, links, layers, side, steps, trace, card }: Job): Promise<void> {
  const device = await Device.open(await openPlatform(card?.platform))
  const { ranks, transport } = await takePlace(device, { rank, config, links: { by: 'shared memory', links }, trace })
  const part = await loadComponent(device, 'PixArtTransformer2DModel', wideBlocks(layers), '', {
    share: (c) => weightShareOf(ranks, c.layers),
  })
  const g = new Recorder(device)
  try {
    const run = (count: number) => denoisePictures(g, ranks, part, side, count)
    await run(2) // compiles
    ranks.timeline?.spans.splice(0)
    ranks.fabric!.sent.clear()
    await ranks.fabric!.barrier(
      g,
      Array.from({ length: sizeOf(config.degrees) }, (_, k) => k),
      'begin',
    )
    const began = performance.now()
    await run(steps)
    const seconds = (performance.now() - began) / 1000
    const result: Result = {
      seconds,
      sent: [...ranks.fabric!.sent],
      spans: ranks.timeline?.spans ?? [],
      device: device.name,
    }
    await ranks.fabric!.barrier(
      g,
      Array.from({ length: sizeOf(config.degrees) }, (_, k) => k),
      'end',
    )
    await device.finished()
    part.weights.free()
    await transport.close()
    device.close()
    // Promises of a closed device settle in a moment; before that the thread must not end.
    await new Promise((resolve) => setTimeout(resolve, 200))
    parentPort!.postMessage(result)
  } catch (error) {
    transport.fail(error)
    throw error
  }
}

async function denoisePictures(
  g: Recorder,
  ranks: Ranks,
  part: Awaited<ReturnType<typeof loadComponent<'PixArtTransformer2DModel'>>>,
  side: number,
  steps: number,
): Promise<void> {
  const [latents, channels, words] = [side / 8, 4, 64]
  const crew = new Crew(ranks, {
    blocks: part.config.layers,
    grid: { rows: latents / 2, columns: latents / 2 },
    steps,
    guided: false,
  })
  const captions = g.upload(values(words * 256), [1, words, 256], 'captions')
  const text = await encodeCaptions(g, part, captions, Array(words).fill(1), crew.blocks)
  const network = pixartNetwork(part, {
    text,
    batch: 1,
    latents: { channels, width: latents },
    size: { height: side, width: side },
    guidance: 1,
  })
  const scheduler: Scheduler = {
    timesteps: Array.from({ length: steps }, (_, i) => 900 - i),
    sigmas: [],
    initNoiseSigma: 1,
    takesEta: false,
    setTimesteps() {},
    scaleModelInput: () => 1,
    step: () => ({
      order: 1,
      conv: { sample: 1, output: -0.01 },
      next: { sample: 0.9, output: 0, d: [0.1], noise: 0 },
    }),
  }
  const noise = g.upload(values(channels * latents * latents), [1, channels, latents, latents], 'latents')
  const options: DenoiseOptions = { crew, network, scheduler, latents: noise }
  await denoise(g, options)
  crew.end(g)
  g.reset()
}

/** The same on every rank. */
function values(count: number): Float32Array {
  let state = 7
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

async function main(): Promise<void> {
  await ensureVulkan()
  const { values: given } = parseArgs({
    options: {
      ranks: { type: 'string', default: '2,4,8' },
      steps: { type: 'string', default: '8' },
      layers: { type: 'string', default: '8' },
      side: { type: 'string', default: '1024' },
      cards: { type: 'boolean' },
      out: { type: 'string' },
    },
    args: process.argv.slice(2).filter((argument) => argument !== 'mesh'),
  })
  const [steps, layers, side] = [given.steps, given.layers, given.side].map(Number)
  const meshes: [string, ParallelConfig][] = [['one rank', ON_ONE_DEVICE]]
  for (const ranks of given.ranks.split(',').map(Number)) {
    const degrees = (axis: 'pipefusion' | 'ulysses' | 'ring') => ({ ...ONE_RANK, [axis]: ranks })
    meshes.push([`pipefusion ${ranks}`, { ...ON_ONE_DEVICE, degrees: degrees('pipefusion'), numPipelinePatch: ranks }])
    meshes.push([`ulysses ${ranks}`, { ...ON_ONE_DEVICE, degrees: degrees('ulysses') }])
    meshes.push([`ring ${ranks}`, { ...ON_ONE_DEVICE, degrees: degrees('ring') }])
    meshes.push([`ulysses ${ranks}, shard_dit`, { ...ON_ONE_DEVICE, degrees: degrees('ulysses'), shardDit: true }])
  }
  const most = Math.max(...meshes.map(([, { degrees }]) => sizeOf(degrees)))
  const cards = given.cards ? await rankCards(most, {}, console.log) : []
  const rows: Record<string, unknown>[] = []
  for (const [name, config] of meshes) {
    const plain = await race({ config, steps, layers, side, trace: false }, cards)
    const traced = await race({ config, steps, layers, side, trace: true }, cards)
    const spans = traced.flatMap((result) => result.spans)
    const step = Math.max(...plain.map(({ seconds }) => seconds)) / steps
    const tracedStep = Math.max(...traced.map(({ seconds }) => seconds)) / steps
    const exposed = traced.map((_, rank) => exposedTransfer(spans, rank) / 1000 / steps / tracedStep)
    const bytes = plain.map(({ sent }) => sent.reduce((sum, [, count]) => sum + count, 0) / steps)
    const transfers = spans.filter(({ kind, bytes: size = 0 }) => kind === 'transfer' && size > 0)
    const moving = transfers.reduce((sum, { start, end }) => sum + end - start, 0) / 1000
    const rate = transfers.reduce((sum, { bytes: size = 0 }) => sum + size, 0) / moving
    rows.push({ mesh: name, step, tracedStep, bytes, exposed, rate })
    const percent = exposed.map((share) => `${(100 * share).toFixed(1)}`).join(' ')
    console.log(
      `${name}: ${step.toFixed(3)} s a step, ${(Math.max(...bytes) / 1e6).toFixed(1)} MB a rank and step at ${(rate / 1e9).toFixed(2)} GB/s, exposed ${percent} % of a step`,
    )
    if (given.out)
      writeFileSync(given.out, JSON.stringify({ device: plain[0].device, steps, layers, side, rows }, null, 2))
  }
  process.exit(0)
}

async function race(job: Omit<Job, 'rank' | 'links' | 'card'>, cards: readonly RankCard[]): Promise<Result[]> {
  const size = sizeOf(job.config.degrees)
  const links = createSharedLinks(size)
  return Promise.all(
    Array.from({ length: size }, (_, rank) => {
      const data: Job = { ...job, rank, links, card: cards[rank] }
      const worker = new Worker(new URL(import.meta.url), { workerData: data, env: SHARE_ENV })
      return new Promise<Result>((resolve, reject) => {
        let result: Result | undefined
        worker.once('message', (sent: Result) => {
          result = sent
        })
        worker.once('error', reject)
        worker.once('exit', () => (result ? resolve(result) : reject(new Error(`rank ${rank} ended`))))
      })
    }),
  )
}
