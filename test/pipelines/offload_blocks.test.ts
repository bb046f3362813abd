import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type FromPretrainedOptions } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import type { PipelineOptions, PipelineOutput } from '../../src/pipelines/options.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { deepModel } from '../support/deep_model.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN } from '../support/golden_io.ts'

type Loading = Omit<FromPretrainedOptions, 'device'>

const EMOJI = 'models/emoji-pixart'
const SIZE = { height: 32, width: 32, numInferenceSteps: 2, seed: 3 } as const
const SHORT = { ...SIZE, maxSequenceLength: 9 } as const
const EXACT = { ...SIZE, useResolutionBinning: false } as const

const bitsOf = ({ latents, images, spared }: PipelineOutput) => [latents.data, images.map(({ data }) => data), spared]

/** On a device of its own account, of so much memory: what comes of it, and the most that it held. */
async function drawn(model: string | Source, options: Loading, calls: readonly PipelineOptions[]) {
  const device = (await testDevice()).sibling({ memory: options.memory })
  try {
    const loads: string[] = []
    const onProgress = (component: string, done: number, total: number) => {
      if (done === total) loads.push(component)
    }
    const pipe = await DiffusionPipeline.fromPretrained(model, { ...options, device, onProgress })
    const bits = []
    for (const call of calls) bits.push(bitsOf(await pipe('a cat', call)))
    pipe.dispose()
    return { bits, loads, most: device.arena.peakWithWeights, left: device.weightBytes }
  } finally {
    device.close()
  }
}

const flux = () =>
  deepModel('pipeline_flux_dev', {
    transformer: { num_layers: 2, num_single_layers: 5 },
    text_encoder_2: { num_layers: 4 },
  })
const sd3 = () => deepModel('pipeline_sd3', { transformer: { num_layers: 6 }, text_encoder_3: { num_layers: 5 } })

describe('offloaded blocks', () => {
  it.each<[string, () => Promise<Source>, PipelineOptions, Loading]>([
    ['FLUX.1, an odd number of two kinds', flux, SHORT, {}],
    [
      'FLUX.1 in int4, in steps that are spared',
      flux,
      { ...SHORT, numInferenceSteps: 3, useFbcache: true, fbcacheThreshold: 1 },
      { weights: 'int4_asym_g32' },
    ],
    [
      'SD3, but for those that are left out',
      sd3,
      { ...SHORT, skipGuidanceLayers: [1, 2], skipLayerGuidanceStop: 1 },
      {},
    ],
    [
      'HunyuanDiT, with skips',
      () => deepModel('pipeline_hunyuan_rescaled', { transformer: { num_layers: 10 } }),
      EXACT,
      {},
    ],
    [
      'PixArt, with guidance',
      () => deepModel('pipeline_pixart_sigma', { transformer: { num_layers: 4 } }),
      { ...EXACT, maxSequenceLength: 9 },
      {},
    ],
  ])('draw the same bits, and take what was planned: %s', async (_, open, call, options) => {
    const model = await open()
    const planning = { ...options, device: traitsOf(await testDevice()), tier: 'f32', call } as const
    const all = await planMemory(model, 'a cat', planning)
    const planned = await planMemory(model, 'a cat', { ...planning, offload: 'blocks' })
    expect(planned.weights.transformer).toBeLessThan(0.75 * all.weights.transformer)
    expect(planned.host.blocks).toBeGreaterThan(all.weights.transformer - planned.weights.transformer)

    const memory = planned.weightsAndActivations
    const { bits, most, left } = await drawn(model, { ...options, offload: 'blocks', memory }, [call, call])
    expect(left).toBe(0)
    // A plan spares no step.
    if (call.useFbcache) expect(most).toBeLessThanOrEqual(memory)
    else expect(most).toBe(memory)
    const [expected] = (await drawn(model, options, [call])).bits
    expect(bits).toEqual([expected, expected])
    expect((expected[0] as Float32Array).every(Number.isFinite)).toBe(true)
    if (call.useFbcache) expect(expected[2]).toContain(true)
  })

  it('are read once, and other weights for each call', async () => {
    const model = join(GOLDEN, 'pipeline_flux_dev')
    const { loads } = await drawn(model, { offload: 'blocks' }, [SHORT, { ...SHORT, maxSequenceLength: 12 }])
    const each = ['text_encoder', 'text_encoder_2', 'transformer', 'vae']
    expect(loads).toEqual([...each, ...each])
  })

  it.each<[string, Partial<Degrees>, Partial<ParallelConfig>]>([
    ['tensor 2', { tensor: 2 }, {}],
    ['pipefusion 2, ulysses 2', { pipefusion: 2, ulysses: 2 }, { numPipelinePatch: 2 }],
  ])('draw the same bits on ranks: %s', async (_, degrees, rest) => {
    const mesh = { ...ON_ONE_DEVICE, ...rest, degrees: { ...ONE_RANK, ...degrees } }
    const onTeam = async (offload: 'none' | 'blocks') => {
      const team = await startLocalTeam(await sd3(), mesh, { device: await testDevice(), offload })
      try {
        return bitsOf(await team.run('a cat', { ...SHORT, guidanceScale: 1 }))
      } finally {
        await team.close()
      }
    }
    expect(await onTeam('blocks')).toEqual(await onTeam('none'))
  })

  it.each([
    ['shardDit', '--shard_dit'],
    ['shardT5Encoder', '--shard_t5_encoder'],
  ])('are refused where ranks keep shares of them: %s', async (option, flag) => {
    const mesh = { ...ON_ONE_DEVICE, [option]: true, degrees: { ...ONE_RANK, ulysses: 2 } }
    const device = await testDevice()
    const error = await failure(startLocalTeam(await sd3(), mesh, { device, offload: 'blocks' }))
    expect(error).toMatchObject({ kind: 'bad-argument', message: expect.stringContaining(flag) })
    expect(error.hint).toContain('--offload components')
  })

  it('are refused before anything is loaded where two of them do not fit', async () => {
    const model = await flux()
    const planned = await planMemory(model, 'a cat', {
      device: traitsOf(await testDevice()),
      tier: 'f32',
      call: SHORT,
      offload: 'blocks',
    })
    const memory = planned.weights.transformer - 1
    const error = await failure(drawn(model, { offload: 'blocks', memory }, [SHORT]))
    expect(error).toMatchObject({ kind: 'out-of-memory', message: expect.stringContaining('--memory') })
  })

  it('end in a clear error where a file has become shorter, and draw when it is whole again', async () => {
    const model = mkdtempSync(join(tmpdir(), 'webdit-offload-'))
    try {
      cpSync(join(GOLDEN, 'pipeline_flux_dev'), model, { recursive: true })
      const path = join(model, 'transformer/diffusion_pytorch_model.safetensors')
      const bytes = readFileSync(path)
      const device = (await testDevice()).sibling()
      const pipe = await DiffusionPipeline.fromPretrained(model, { device, offload: 'blocks' })
      truncateSync(path, bytes.length - 1000)
      const error = await failure(pipe('a cat', SHORT))
      expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringContaining('ends after') })
      expect(device.weightBytes).toBe(0)
      writeFileSync(path, bytes)
      const [expected] = (await drawn(model, {}, [SHORT])).bits
      expect(bitsOf(await pipe('a cat', SHORT))).toEqual(expected)
      pipe.dispose()
      device.close()
    } finally {
      rmSync(model, { recursive: true })
    }
  })

  it('are planned beside the other levels, of which a plan names the least that fits', async () => {
    const flags = ['plan', '--model', EMOJI, '--prompt', 'cat', '--json']
    const size = ['--height', '32', '--width', '32', '--no_use_resolution_binning']
    const planned = async (...more: string[]) => {
      const { code, out } = await runInProcess([...flags, ...size, ...more])
      return { code, ...JSON.parse(out.join('\n')) }
    }
    const { levels } = await planned()
    const needs = levels.map((level: { weightsAndActivations: number }) => level.weightsAndActivations)
    expect(needs.toSorted((a: number, b: number) => b - a)).toEqual(needs)
    const [, components, blocks] = needs
    for (const [memory, fitting] of [
      [components, ['components', 'blocks']],
      [blocks, ['blocks']],
    ] as const) {
      const short = await planned('--memory', `${memory}B`)
      expect(short).toMatchObject({ code: 1, fits: false })
      expect(short.levels.filter((level: { fits: boolean }) => level.fits)).toMatchObject(
        fitting.map((offload) => ({ offload })),
      )
    }
  })
})
