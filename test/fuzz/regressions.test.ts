import { expect, it } from 'vitest'
import { autoencoderKLConfig } from '../../src/models/autoencoder_kl/config.ts'
import { t5Config } from '../../src/models/t5/config.ts'
import { loadTokenizer } from '../../src/models/tokenizers/load_tokenizer.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { pipelineClass } from '../../src/pipelines/pipeline_class.ts'
import { previewMap } from '../../src/pipelines/preview.ts'
import type { Checkpoint } from '../../src/runtime/weights/checkpoint.ts'
import { matchNames } from '../../src/runtime/weights/match_names.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { readSafetensorsHeader } from '../../src/runtime/weights/safetensors.ts'
import { createScheduler } from '../../src/schedulers/index.ts'
import { testDevice } from '../support/device.ts'
import { EMOJI, folder, GOLDEN } from './fixtures.ts'

// What the fuzzer found, each by a case of its own.

const source = (files: Record<string, string>) =>
  memorySource(new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)])))

/** No text: what String() and template literals make of it is a TypeError. */
const TEXTLESS = '{"toString": 1, "valueOf": 1}'
const deep = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)

it('names the class in model_index.json whatever it is', async () => {
  const classOf = (value: string) => pipelineClass(source({ 'model_index.json': `{"_class_name": ${value}}` }))
  await expect(classOf(TEXTLESS)).rejects.toMatchObject({
    kind: 'unsupported',
    message: expect.stringContaining('memory/model_index.json names the pipeline class {"toString": 1, "valueOf": 1}'),
  })
  const index = pipelineClass(source({ 'model_index.json': '{}' }))
  await expect(index).rejects.toThrow('names the pipeline class missing')
})

it('shows values of configs that are nested deeper than the stack, or endless', () => {
  const config = { _class_name: 'DPMSolverMultistepScheduler', use_flow_sigmas: deep(200_000) }
  expect(() => createScheduler(config)).toThrow(/use_flow_sigmas is \[{80}…, expected true or false/)
  expect(() => createScheduler({ _class_name: 'x'.repeat(1e6) })).toThrow(/^the scheduler class is "x{79}…$/)
})

it.each([
  ['{"value": 1}', '{"value": 1}'],
  ['-100', '-100'],
  [TEXTLESS, '{"toString": 1, "valueOf": 1}'],
])('names extra_ids %s and its file', async (value, shown) => {
  const files = folder(`${GOLDEN}/pipeline_pixart_sigma/tokenizer`)
  files.set('tokenizer_config.json', new TextEncoder().encode(`{"extra_ids": ${value}}`))
  await expect(loadTokenizer(memorySource(files), '')).rejects.toThrow(
    `extra_ids in memory/tokenizer_config.json is ${shown}, expected 0 to 10000`,
  )
})

it.each([
  ['normalizer', { normalizer: 5 }, 'its normalizer has no type: 5'],
  ['decoder', { decoder: { type: 'Sequence', decoders: [[]] } }, 'its decoder has no type: []'],
  ['sequence', { pre_tokenizer: { type: 'Sequence' } }, 'its pre_tokenizer is a sequence of missing'],
  ['type', { pre_tokenizer: { type: 'x'.repeat(1e5) } }, `Unknown PreTokenizer type: ${'x'.repeat(50)}`],
])('says what is wrong with the %s of a tokenizer.json in a short message', async (_, change, message) => {
  const files = folder(`${EMOJI}/tokenizer`)
  const json = JSON.parse(new TextDecoder().decode(files.get('tokenizer.json')))
  files.set('tokenizer.json', new TextEncoder().encode(JSON.stringify({ ...json, ...change })))
  const error = await loadTokenizer(memorySource(files), '').catch((e) => e)
  expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringContaining(message) })
  expect(error.message.length).toBeLessThan(400)
})

it('shortens names of tensors that no model has', () => {
  const checkpoint = { where: 'x', names: () => ['n'.repeat(1e6), 'a\nb'], has: () => false } as unknown as Checkpoint
  expect(() => matchNames(new Map(), checkpoint)).toThrow(/unexpected \(2\): "n{79}…, "a\\nb"$/)
})

it('refuses numbers that would make pixels out of nothing', () => {
  const map = (v: unknown) => previewMap({ weights: [[v], [0], [0]], bias: [0, 0, 0] }, 1)
  expect(map(2).weights[0]).toEqual([2])
  for (const value of [1e300, JSON.parse(TEXTLESS), '2']) expect(() => map(value)).toThrow(/latent_preview.json/)
})

it('refuses configs that no model can have', () => {
  // Every distance would share a bucket with itself, and the logarithm of 1 would divide.
  expect(() => t5Config({ relative_attention_max_distance: 8 })).toThrow(
    /max_distance is 8, expected an integer from 9/,
  )
  const levels = { block_out_channels: Array(1e5).fill(32), up_block_types: Array(1e5).fill('UpDecoderBlock2D') }
  expect(() => autoencoderKLConfig(levels)).toThrow(/block_out_channels is \[32, .*…, expected at most 16 levels/)
})

it('draws no picture of pixels that are not-a-number', async () => {
  const files = folder(`${GOLDEN}/pipeline_pixart_sigma`)
  const path = 'vae/diffusion_pytorch_model.safetensors'
  const { begin } = (await readSafetensorsHeader(memorySource(files), path)).tensors.get('decoder.conv_out.bias')!
  const damaged = files.get(path)!.slice()
  new DataView(damaged.buffer).setFloat32(begin, Number.NaN, true)
  const pipe = await DiffusionPipeline.fromPretrained(memorySource(files.set(path, damaged)), {
    device: await testDevice(),
  })
  const call = { seed: 1, height: 16, width: 16, numInferenceSteps: 1, useResolutionBinning: false }
  await expect(pipe('a cat', call)).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining('the autoencoder made pixels that are not-a-number'),
  })
  const { latents } = await pipe('a cat', { ...call, outputType: 'latent' })
  expect(latents.data.every(Number.isFinite)).toBe(true)
  pipe.dispose()
})
