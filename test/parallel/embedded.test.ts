import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { startWorkerTeam, type WorkerTeam } from '../../src/pipelines/team/worker_team.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { testDevice } from '../support/device.ts'
import { joined, loadPart, type Pictures, predictEach } from '../support/divided.ts'
import { loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const MODEL = fileURLToPath(new URL('../../models/emoji-pixart/', import.meta.url))
const STEPS = 8

/** Six meshes of 8 ranks that have every two methods together somewhere; PipeFusion where all steps are warm-up. */
const MESHES: Partial<Degrees>[] = [
  { data: 2, cfg: 2, ring: 2 },
  { data: 2, ulysses: 2, tensor: 2 },
  { cfg: 2, ulysses: 2, tensor: 2 },
  { ring: 2, ulysses: 2, tensor: 2 },
  { pipefusion: 2, data: 2, ulysses: 2 },
  { pipefusion: 2, cfg: 2, ring: 2 },
]
const NAMED = MESHES.map((degrees) => [degreesText({ ...ONE_RANK, ...degrees }), degrees] as const)

const config = (degrees: Partial<Degrees>): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  degrees: { ...ONE_RANK, ...degrees },
  numPipelinePatch: degrees.pipefusion ?? 1,
  warmupSteps: STEPS,
})

describe('the embedded model in one thread, each step from the same latents', () => {
  const io = loadGolden('stale_kv_pipefusion_m2')
  const floats = (name: string) => io[name].data as Float32Array
  // Of 32 tokens all but the first three are padding; a part of it is enough, since every step has its own copy here.
  const TOKENS = 8
  const mask = (name: string) => Array.from(io[name].data as BigInt64Array, Number).slice(0, TOKENS)
  const pictures = (count: number): Pictures => {
    const both = <T>(unprompted: T[], prompted: T[]): T[] => [
      ...Array(count).fill(unprompted).flat(),
      ...Array(count).fill(prompted).flat(),
    ]
    const captionChannels = io['input.prompt_embeds'].shape[2]
    const caption = (name: string) => [...floats(name).subarray(0, TOKENS * captionChannels)]
    return {
      count,
      height: 16,
      width: 16,
      channels: 8,
      textLength: TOKENS,
      captionChannels,
      captions: Float32Array.from(both(caption('input.negative_prompt_embeds'), caption('input.prompt_embeds'))),
      mask: Float32Array.from(both(mask('input.negative_prompt_attention_mask'), mask('input.prompt_attention_mask'))),
      guidance: 4.5,
    }
  }
  // What forms step by step.
  const size = 8 * 16 * 16
  const states = Array.from({ length: STEPS }, (_, i) =>
    i === 0 ? floats('input.latents') : floats('output.step_latents').subarray((i - 1) * size, i * size),
  )
  let source: Source
  let expected: Float32Array

  /** The prediction of each step, [steps, values]: where two pictures are drawn, one has the first half of the steps. */
  const predictions = async (mesh: ParallelConfig, count: number) => {
    const { timesteps } = schedule(STEPS)
    const each = STEPS / count
    const of = <T>(all: ArrayLike<T>) =>
      Array.from({ length: count }, (_, k) => Array.from({ length: each }, (_, i) => all[k * each + i]))
    const before = of(states)
    const together = before[0].map((_, i) => Float32Array.from(before.flatMap((picture) => [...picture[i]])))
    const parts = await onMesh(mesh, async (rank) => {
      const part = await loadPart(rank, source)
      const guided = await predictEach(rank, part, pictures(count), together, of(timesteps))
      part.weights.free()
      return guided
    })
    return joined(parts)
  }

  beforeAll(async () => {
    source = await openFolder(join(MODEL, 'transformer'))
    expected = await predictions(config({}), 1)
  })
  afterAll(() => source.close())

  it.each(NAMED)('%s', async (_, degrees) => {
    const count = degrees.data ?? 1
    const guided = await predictions(config(degrees), count)
    expect(guided).toHaveLength(STEPS * size)
    for (let at = 0; at < guided.length; at += size) {
      const [prediction, of] = [guided, expected].map((all) => all.subarray(at, at + size))
      expect(relativeL2(prediction, of)).toBeLessThan(1e-5)
    }
  })
})

describe('the embedded model in worker threads, running free', () => {
  const call = { height: 128, width: 128, numInferenceSteps: STEPS, outputType: 'latent' } as const
  const prompts = ['red apple', 'rocket']
  let expected: Float32Array

  beforeAll(async () => {
    const alone = await DiffusionPipeline.fromPretrained(MODEL, { device: await testDevice() })
    expected = (await alone(prompts, { ...call, seed: [3, 4] })).latents.data
    alone.dispose()
  })

  // Node 20 runs no TypeScript: workers stand on the built one.
  const worker = new URL('../../dist/rank.js', import.meta.url)
  let team: WorkerTeam | undefined
  afterAll(() => team?.close())

  it.each(NAMED)('%s', async (_, degrees) => {
    if (team) await team.divide(config(degrees))
    else team = await startWorkerTeam(MODEL, config(degrees), { ranks: 'threads', worker, tier: 'f32' })
    const drawn = degrees.data ? prompts : prompts.slice(0, 1)
    const { latents } = await team.run(drawn, { ...call, seed: drawn.map((__, k) => 3 + k) })
    expect(relativeL2(latents.data, expected.subarray(0, latents.data.length))).toBeLessThan(2e-5)
  })
})
