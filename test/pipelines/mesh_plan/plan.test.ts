import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalMesh } from '../../../src/parallel/crew/local_ranks.ts'
import type { Machine } from '../../../src/parallel/planner/machine.ts'
import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { fluxFamily } from '../../../src/pipelines/families/flux.ts'
import { planMemory } from '../../../src/pipelines/memory_plan/plan.ts'
import { networkWork } from '../../../src/pipelines/mesh_plan/network_work.ts'
import { planMeshes } from '../../../src/pipelines/mesh_plan/plan_meshes.ts'
import { plannedRequest } from '../../../src/pipelines/mesh_plan/workload.ts'
import type { PipelineOptions } from '../../../src/pipelines/options.ts'
import { encodesText } from '../../../src/pipelines/shared_text.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { degreesText } from '../../mesh/factorisations.ts'
import { config } from '../../parallel/bytes/counted.ts'
import { onPaper } from '../../parallel/bytes/on_paper.ts'
import { paperModel } from '../../parallel/bytes/paper_model.ts'
import { failure } from '../../support/failure.ts'
import { GOLDEN } from '../../support/golden_io.ts'

const MACHINE: Machine = { linear: 1e10, attention: 1e10, perKey: 0, bandwidth: 1e9, latency: 1e-3 }
const SIZE = { height: 64, width: 96, numInferenceSteps: 5 }
const TOKENS = 4 * 6

const plan = (model: string, call: PipelineOptions = {}, prompt?: string) =>
  planMeshes(join(GOLDEN, model), prompt, { devices: 4, machine: MACHINE, call: { ...SIZE, ...call } })

/** FLOP of a step on one device: the time of a machine that does nothing beside. */
const flopsOf = ({ oneDevice }: Awaited<ReturnType<typeof plan>>) => oneDevice.step * 1e10

describe('a plan of meshes', () => {
  // The small FLUX of the fixtures: width 64, one double block and two single ones.
  const flux = (text: number, entries: number) => {
    const linear = 2 * 64 ** 2 * (3 * 12 * TOKENS + (2 * 12 + 3) * text)
    return entries * (linear + 3 * (TOKENS + text) ** 2 * 4 * 64)
  }
  // And its SD3: two joint blocks, the last of which gives no text.
  const sd3 = (text: number, entries: number) => {
    const linear = 2 * 64 ** 2 * (2 * 12 * TOKENS + (12 + 3) * text)
    return entries * (linear + 2 * (TOKENS + text) ** 2 * 4 * 64)
  }

  it.each<[string, string, PipelineOptions, number]>([
    ['FLUX.1, text of the greatest length', 'pipeline_flux_dev', {}, flux(512, 1)],
    ['FLUX.1, shorter text', 'pipeline_flux_dev', { maxSequenceLength: 64 }, flux(64, 1)],
    ['FLUX.1, guided by a true CFG scale', 'pipeline_flux_dev', { trueCfgScale: 3, negativePrompt: 'x' }, flux(512, 2)],
    ['SD3', 'pipeline_sd3', {}, sd3(77 + 256, 2)],
    ['SD3 without guidance', 'pipeline_sd3', { guidanceScale: 1, maxSequenceLength: 20 }, sd3(77 + 20, 1)],
  ])('%s: what one device computes, and what ranks divide', async (_, model, call, flops) => {
    const found = await plan(model, call)
    expect(flopsOf(found) / flops).toBeCloseTo(1, 9)
    expect(found.steps).toBe(5)
    const guided = flops === flux(512, 2) || flops === sd3(77 + 256, 2)
    expect(found.meshes.some(({ config: { degrees } }) => degrees.cfg > 1)).toBe(guided)
    expect(found.meshes.length).toBeGreaterThan(5)
    expect(found.meshes.some(({ exact }) => !exact)).toBe(true)
  })

  it('is the same whatever the prompt: every text is padded', async () => {
    const [known, unknown] = [await plan('pipeline_sd3', {}, 'a cat'), await plan('pipeline_sd3')]
    expect(flopsOf(known)).toBe(flopsOf(unknown))
  })

  it('plans several pictures for a scheduler that shifts with their size', async () => {
    const { pictures, steps } = await plan('pipeline_flux_dev', { numImagesPerPrompt: 3, height: 128 })
    expect({ pictures, steps }).toEqual({ pictures: 3, steps: 5 })
  })

  it('is refused for a family that does not say what its transformer does', async () => {
    const source = await openFolder(join(GOLDEN, 'pipeline_flux_dev'))
    const silent = { className: 'SilentPipeline', family: { ...fluxFamily, work: undefined } }
    expect(await failure(networkWork(source, silent, [], {}))).toMatchObject({
      kind: 'unsupported',
      message: 'the time that ranks take with SilentPipeline cannot be predicted yet',
    })
    await source.close()
  })

  it('needs to know how long a text can be', async () => {
    const folder = await openFolder(join(GOLDEN, 'pipeline_sd3'))
    const without = { ...folder, exists: async (path: string) => !/^tokenizer\//.test(path) && folder.exists(path) }
    expect(await failure(planMemory(without, undefined, { call: SIZE }))).toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('tokenizer/tokenizer_config.json'),
    })
    await folder.close()
  })
})

describe.each([
  ['FLUX.1', 'pipeline_flux_dev', { num_attention_heads: 5, num_layers: 2, num_single_layers: 3 }],
  [
    'SD3.5',
    'pipeline_sd3',
    { num_attention_heads: 5, caption_projection_dim: 160, num_layers: 4, qk_norm: 'rms_norm' },
  ],
])('the weights of %s that a rank is predicted to take', (_, golden, transformer) => {
  let device: Device
  beforeAll(async () => {
    device = await onPaper('f16')
  })
  afterAll(() => device?.close())

  it.each(
    [
      config({ pipefusion: 3 }),
      config({ tensor: 2, ring: 2 }),
      config({ pipefusion: 2, ulysses: 2 }, { shardDit: true, shardT5Encoder: true }),
    ].map((mesh) => [`${degreesText(mesh.degrees)}${mesh.shardDit ? ', shared' : ''}`, mesh] as const),
  )('are those that it loads: %s', async (_name, mesh) => {
    const { source, tokenizers } = await paperModel(golden, transformer)
    const call = { ...SIZE, numInferenceSteps: 1 }
    const alone = await planMemory(source, undefined, { call })
    const { sizes } = await plannedRequest(source, 1, call, device.target, alone)
    const local = new LocalMesh(device, mesh)
    for (const { device: own, ranks } of local.ranks) {
      const pipe = await DiffusionPipeline.fromPretrained(source, { device: own, ranks, tokenizers })
      const text = encodesText(ranks) ? sizes.textEncoder(ranks) : 0
      expect(sizes.transformer(ranks) + text + sizes.autoencoder(ranks)).toBe(own.weightBytes)
      pipe.dispose()
    }
    await local.close()
    await source.close()
  })
})

it('plans FLUX.1-dev at 1024 x 1024 for eight devices in seconds', async () => {
  // The published transformer, of sizes alone, behind the small encoders of the fixtures.
  const published = { num_attention_heads: 24, attention_head_dim: 128, axes_dims_rope: [16, 56, 56] }
  const model = await paperModel('pipeline_flux_dev', { ...published, num_layers: 19, num_single_layers: 38 })
  const machine = { ...MACHINE, linear: 1e14, attention: 1e14, latency: 0, bandwidth: 1e18 }
  const found = await planMeshes(model.source, undefined, { devices: 8, machine, call: { height: 1024, width: 1024 } })
  await model.source.close()
  expect(found.oneDevice.step).toBeCloseTo(0.743, 3)
  const best = (degree: 'tensor' | 'ring' | 'pipefusion') =>
    found.meshes.find(({ config: { degrees } }) => degrees[degree] === 8)!
  // Tensor parallelism divides the text, too; of a ring all have it.
  expect(best('tensor').step).toBeCloseTo(0.743 / 8, 3)
  expect(best('ring').step / best('tensor').step).toBeCloseTo(1024 / 576, 1)
  // The last stage decodes beside its seven blocks.
  expect(best('pipefusion').memory.bytes).toBeLessThan(found.oneDevice.memory.bytes / 3)
})
