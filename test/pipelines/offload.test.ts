import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type FromPretrainedOptions } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { textKey } from '../../src/pipelines/offload.ts'
import type { PipelineOptions, PipelineOutput } from '../../src/pipelines/options.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { TextCache } from '../../src/pipelines/text_cache.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'

const SD3 = join(GOLDEN, 'pipeline_sd3')
const CALL = { height: 48, width: 32, numInferenceSteps: 2, maxSequenceLength: 9, seed: 3 } as const

/** Draws for each of these texts, one after the other; tells which weights were loaded for each. */
async function drawn(
  model: string,
  prompts: (string | string[])[],
  options: FromPretrainedOptions & { call?: PipelineOptions } = {},
): Promise<{ outputs: PipelineOutput[]; loads: string[][]; most: number; left: number }> {
  const device = options.device ?? (await testDevice())
  const before = device.weightBytes
  const loads: string[][] = [[]]
  let most = 0
  const pipe = await DiffusionPipeline.fromPretrained(model, {
    ...options,
    device,
    onProgress: (component, loaded, total) => {
      most = Math.max(most, device.weightBytes - before)
      if (loaded === total) loads.at(-1)!.push(component)
    },
  })
  const outputs: PipelineOutput[] = []
  for (const prompt of prompts) {
    loads.push([])
    outputs.push(await pipe(prompt, { ...CALL, ...options.call }))
  }
  pipe.dispose()
  return { outputs, loads, most, left: device.weightBytes - before }
}

const bitsOf = (outputs: readonly PipelineOutput[]) =>
  outputs.map(({ latents, images }) => [latents.data, images.map(({ data }) => data)])

const ENCODERS = ['text_encoder', 'text_encoder_2', 'text_encoder_3']

describe('offloaded components', () => {
  it('draw the same bits, one stage at a time, with encoders for new texts alone', async () => {
    const prompts = ['cat', 'cat', ['dog', 'cat'], 'cat']
    const { outputs: expected, ...all } = await drawn(SD3, prompts)
    expect(all.loads).toEqual([[...ENCODERS, 'transformer', 'vae'], [], [], [], []])
    const { outputs, loads, most, left } = await drawn(SD3, prompts, { offload: 'components' })
    expect(bitsOf(outputs)).toEqual(bitsOf(expected))
    expect(loads).toEqual([
      [],
      [...ENCODERS, 'transformer', 'vae'],
      ['transformer', 'vae'],
      [...ENCODERS, 'transformer', 'vae'],
      ['transformer', 'vae'],
    ])
    expect(most).toBeLessThan(0.75 * all.most)
    expect(left).toBe(0)
  })

  it('keep the transformer where latents are all that is wanted, and heed what decides an encoding', async () => {
    const call = { outputType: 'latent' } as const
    const { loads } = await drawn(SD3, ['cat', 'cat'], { offload: 'components', call })
    expect(loads).toEqual([[], [...ENCODERS, 'transformer'], []])

    const skipping = await drawn(SD3, ['cat'], { call: { ...call, clipSkip: 1 } })
    const pipe = await DiffusionPipeline.fromPretrained(SD3, { device: await testDevice(), offload: 'components' })
    const plain = await pipe('cat', { ...CALL, ...call })
    const other = await pipe('cat', { ...CALL, ...call, clipSkip: 1 })
    expect(other.latents.data).toEqual(skipping.outputs[0].latents.data)
    expect(other.latents.data).not.toEqual(plain.latents.data)
    pipe.dispose()
  })

  it('draw the same bits from a picture, whose encoder comes first', async () => {
    const data = Uint8Array.from({ length: 48 * 32 * 3 }, (_, i) => (i * 7) % 256)
    const call = { image: { width: 32, height: 48, data }, strength: 0.6 }
    const { outputs: expected } = await drawn(SD3, ['cat'], { imageToImage: true, call })
    const { outputs, loads } = await drawn(SD3, ['cat', 'cat'], { imageToImage: true, offload: 'components', call })
    expect(bitsOf(outputs)).toEqual(bitsOf([expected[0], expected[0]]))
    expect(loads).toEqual([[], ['vae', ...ENCODERS, 'transformer', 'vae'], ['transformer', 'vae']])
  })

  it.each<[string, Partial<Degrees>, Partial<ParallelConfig>]>([
    ['cfg 2, shares of blocks and of T5', { cfg: 2 }, { shardDit: true, shardT5Encoder: true }],
    ['pipefusion 2 and a parallel autoencoder', { pipefusion: 2 }, { numPipelinePatch: 2, vaeParallelSize: 2 }],
  ])('draw the same bits on ranks: %s', async (_, degrees, rest) => {
    const mesh = { ...ON_ONE_DEVICE, ...rest, degrees: { ...ONE_RANK, ...degrees } }
    const onTeam = async (offload: 'none' | 'components') => {
      const team = await startLocalTeam(SD3, mesh, { device: await testDevice(), offload })
      const outputs = []
      for (const prompt of ['cat', 'cat', 'dog']) outputs.push(await team.run(prompt, CALL))
      await team.close()
      return bitsOf(outputs)
    }
    expect(await onTeam('components')).toEqual(await onTeam('none'))
  })

  it('fit a memory that all weights at once do not, as planned to the byte', async () => {
    const traits = traitsOf(await testDevice())
    const [whole, offloaded] = await Promise.all(
      (['none', 'components'] as const).map((offload) =>
        planMemory(SD3, 'cat', { device: traits, call: CALL, offload, levels: true }),
      ),
    )
    const { weightsAndActivations: enough } = offloaded
    expect(offloaded.levels).toEqual(whole.levels)
    expect(whole.levels).toMatchObject([
      { offload: 'none', fits: true, weightsAndActivations: whole.weightsAndActivations, hostBlocks: 0 },
      { offload: 'components', fits: true, weightsAndActivations: enough, hostBlocks: 0 },
      { offload: 'blocks', fits: true },
    ])
    expect(enough).toBeLessThan(0.8 * whole.weightsAndActivations)
    expect(offloaded.weights).toEqual(whole.weights)
    expect(offloaded.host.texts).toBeGreaterThan(0)

    const short = await planMemory(SD3, 'cat', { device: traits, call: CALL, memory: enough })
    expect(short).toMatchObject({ fits: false, levels: [{ fits: false }, { fits: true }, { offload: 'blocks' }] })
    const device = (await testDevice()).sibling({ memory: enough })
    try {
      await expect(drawn(SD3, ['cat'], { device })).rejects.toMatchObject({ kind: 'out-of-memory' })
      const { outputs } = await drawn(SD3, ['cat'], { device, offload: 'components' })
      expect(outputs[0].images).toHaveLength(1)
      expect(device.arena.peakWithWeights).toBe(enough)
      expect(Object.fromEntries(device.arena.phases)).toEqual(offloaded.phases)
    } finally {
      device.close()
    }
  })

  it('are refused before anything is loaded where a stage does not fit', async () => {
    const { weights } = await planMemory(SD3, 'cat', { device: traitsOf(await testDevice()), call: CALL })
    const device = (await testDevice()).sibling({ memory: weights.transformer })
    const loaded: string[] = []
    try {
      const pipe = await DiffusionPipeline.fromPretrained(SD3, {
        device,
        offload: 'components',
        onProgress: (component) => loaded.push(component),
      })
      await expect(pipe('cat', CALL)).rejects.toMatchObject({ kind: 'out-of-memory' })
      expect(loaded).toEqual([])
      expect(device.weightBytes).toBe(0)
      pipe.dispose()
    } finally {
      device.close()
    }
  })

  it('stop loading when the call is aborted, and draw again', async () => {
    const device = await testDevice()
    const before = device.weightBytes
    const stop = new AbortController()
    const pipe = await DiffusionPipeline.fromPretrained(SD3, {
      device,
      offload: 'components',
      onProgress: (component) => component === 'transformer' && stop.abort(),
    })
    await expect(pipe('cat', { ...CALL, signal: stop.signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(device.weightBytes).toBe(before)
    expect((await pipe('cat', CALL)).images).toHaveLength(1)
    pipe.dispose()
  })

  it('are asked for on the command line, where a plan tells what they save', async () => {
    const flags = ['--model', SD3, '--prompt', 'cat', '--height', '48', '--width', '32', '--max_sequence_length', '9']
    const { out } = await runInProcess(['plan', ...flags, '--offload', 'components'])
    expect(out.slice(-5)).toEqual([
      expect.stringMatching(/^ {2}--offload none +[\d.]+ MiB$/),
      expect.stringMatching(/^ {2}--offload components +[\d.]+ MiB {2}\(weights are read for each call\)$/),
      expect.stringMatching(/^ {2}--offload blocks +[\d.]+ MiB {2}\([\d.]+ MiB stay on the host, /),
      '',
      'It fits.',
    ])
    const memory = out.join('\n').match(/at most: weights and activations +([\d.]+) MiB/)![1]
    const short = await runInProcess(['plan', ...flags, '--memory', `${(Number(memory) + 0.1).toFixed(1)}MiB`])
    expect(short.out.join('\n')).toMatch(/With --offload components it does: [\d.]+ MiB at most/)
    expect((await runInProcess(['plan', ...flags, '--offload', 'some'])).err[0]).toContain(
      '--offload is "some", expected none, components or blocks',
    )
    const many = await runInProcess(['plan', ...flags, '--offload', 'components', '--devices', '2'])
    expect(many).toMatchObject({ code: 2 })
  })

  it('are refused for another word', async () => {
    const offload = 'layers' as 'none'
    await expect(drawn(SD3, [], { offload })).rejects.toMatchObject({
      kind: 'bad-argument',
      message: 'offload is "layers", expected none, components or blocks',
    })
  })
})

describe('encoded texts', () => {
  it('are kept within bounds, those used last', () => {
    const cache = new TextCache(100)
    const entry = (values: number) => [{ data: new Float32Array(values), shape: [values] }]
    cache.set('a', entry(10))
    cache.set('b', entry(10))
    expect(cache.get('a')).toBeDefined()
    cache.set('c', entry(10))
    expect(['a', 'b', 'c'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true])
    cache.set('d', entry(26))
    expect(cache.get('d')).toBeUndefined()
    expect(cache.bytes).toBe(80)
  })

  it('are told apart by texts and by every option but those that say nothing of them', () => {
    const key = (options: object) => textKey([{ of: ['cat'] }], options)
    expect(key({ seed: 1, height: 8, onStep() {}, latents: new Float32Array(1) })).toBe(key({ clipSkip: undefined }))
    expect(key({ clipSkip: 1 })).not.toBe(key({}))
    expect(key({ tomorrow: 1 })).not.toBe(key({}))
    expect(textKey([{ of: ['dog'] }], {})).not.toBe(key({}))
  })
})
