import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { t5Name } from '../../src/models/t5/gguf_names.ts'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type FromPretrainedOptions } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { testDevice } from '../support/device.ts'
import { writeGguf } from '../support/gguf.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { storedTensors } from '../support/resave.ts'

const MODEL = join(GOLDEN, 'pipeline_sd3')
const CALL = {
  height: 32,
  width: 32,
  numInferenceSteps: 1,
  maxSequenceLength: 9,
  seed: 3,
  outputType: 'latent',
} as const

const temporary = mkdtempSync(join(tmpdir(), 'webdit-transformer-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** The golden pipeline without weights of the transformer, and these in a file elsewhere. */
const bare = join(temporary, 'bare')
const file = join(temporary, 'my transformer.safetensors')
let expected: Float32Array
beforeAll(async () => {
  cpSync(MODEL, bare, { recursive: true, filter: (path) => !/transformer\/.*\.safetensors$/.test(path) })
  copyFileSync(join(MODEL, 'transformer/diffusion_pytorch_model.safetensors'), file)
  expected = await drawn(MODEL)
})

async function drawn(model: string, options: FromPretrainedOptions = {}): Promise<Float32Array> {
  const pipe = await DiffusionPipeline.fromPretrained(model, { device: await testDevice(), ...options })
  const { latents } = await pipe('cat', CALL)
  pipe.dispose()
  return latents.data
}

describe('weights of the transformer in a file of their own', () => {
  it('are taken from a path, and from a source that stays open', async () => {
    expect(await drawn(bare, { transformer: file })).toEqual(expected)
    const source = await openFolder(temporary)
    expect(await drawn(bare, { transformer: { source, path: 'my transformer.safetensors' } })).toEqual(expected)
    expect(await source.size('my transformer.safetensors')).toBeGreaterThan(0)
    await source.close()
    await expect(drawn(bare)).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('transformer'),
    })
  })

  it('are taken from a server', async () => {
    const bytes = readFileSync(file)
    const server = createServer(({ url, headers: { range = '' } }, response) => {
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(range) ?? []
      if (url !== '/some/my%20transformer.safetensors?key=1' || !first) return response.writeHead(404).end()
      const part = bytes.subarray(Number(first), Number(last) + 1)
      const place = `bytes ${first}-${Number(first) + part.byteLength - 1}/${bytes.byteLength}`
      response.writeHead(206, { 'content-range': place, 'content-length': part.byteLength }).end(part)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const transformer = `http://127.0.0.1:${port}/some/my%20transformer.safetensors?key=1`
      expect(await drawn(bare, { transformer })).toEqual(expected)
    } finally {
      server.close()
    }
  })

  it('are taken by each rank for its share', async () => {
    const mesh = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, tensor: 2 } }
    const team = await startLocalTeam(bare, mesh, { device: await testDevice(), transformer: file })
    const { latents } = await team.run('cat', CALL)
    await team.close()
    expect(relativeL2(latents.data, expected)).toBeLessThan(1e-5)
  })

  it('leave the variant to the other components', async () => {
    const mixed = join(temporary, 'mixed')
    cpSync(bare, mixed, { recursive: true })
    copyFileSync(
      join(MODEL, 'vae/diffusion_pytorch_model.safetensors'),
      join(mixed, 'vae/diffusion_pytorch_model.fp16.safetensors'),
    )
    expect(await drawn(mixed, { transformer: file, variant: 'fp16' })).toEqual(expected)
    copyFileSync(file, join(bare, 'transformer/diffusion_pytorch_model.fp16.safetensors'))
    await expect(drawn(bare, { transformer: file, variant: 'fp16' })).rejects.toMatchObject({ kind: 'not-found' })
    rmSync(join(bare, 'transformer/diffusion_pytorch_model.fp16.safetensors'))
  })

  it('are planned with', async () => {
    const device = traitsOf(await testDevice())
    const { seed: _, ...call } = CALL
    const { host: __, ...whole } = await planMemory(MODEL, 'cat', { device, call })
    expect(await planMemory(bare, 'cat', { device, call, transformer: file })).toMatchObject(whole)

    const flags = ['--prompt', 'cat', '--height', '32', '--width', '32', '--json']
    const plan = await runInProcess(['plan', '--model', bare, ...flags, '--transformer', file])
    expect(plan).toMatchObject({ code: 0, err: [] })
    expect(JSON.parse(plan.out.join('\n')).withoutWeights).toEqual([])
  })

  it('are drawn with on the command line', async () => {
    const out = join(temporary, 'pictures')
    mkdirSync(out)
    const flags = ['--height', '32', '--width', '32', '--num_inference_steps', '1', '--output_directory', out]
    const run = await runInProcess(['generate', '--model', bare, '--prompt', 'cat', ...flags, '--transformer', file])
    expect(run.code, run.err.join('\n')).toBe(0)
    expect(run.out).toHaveLength(1)
  })

  it.each<[string, FromPretrainedOptions['textEncoders'], string, string]>([
    ['no file', { text_encoder_3: join(temporary, 'no.gguf') }, 'not-found', 'text_encoder_3 is ".*", and there is no'],
    ['a file of another kind', { text_encoder: 'x.bin' }, 'bad-argument', 'text_encoder is "x.bin", expected a'],
    [
      'one that there is not',
      { text_encoder_4: 'x.gguf' },
      'bad-argument',
      'text_encoder_4 is "x.gguf", and this model has no',
    ],
    ['no text encoder', { vae: 'x.safetensors' }, 'bad-argument', 'vae is "x.safetensors", and this model has no such'],
  ])('are refused for text encoders: %s', async (_, textEncoders, kind, why) => {
    const refusal = { kind, message: expect.stringMatching(why) }
    await expect(drawn(MODEL, { textEncoders })).rejects.toMatchObject(refusal)
    await expect(planMemory(MODEL, 'cat', { textEncoders })).rejects.toMatchObject(refusal)
  })

  it.each([
    ['no file', join(temporary, 'no.safetensors'), 'not-found', 'and there is no such file'],
    ['no folder', join(temporary, 'no', 'x.safetensors'), 'not-found', 'and there is no such file'],
    [
      'a file of another kind',
      join(temporary, 'flux1-dev.ckpt'),
      'bad-argument',
      'expected a .safetensors or .gguf file',
    ],
  ])('are refused: %s', async (_, transformer, kind, why) => {
    const refusal = { kind, message: expect.stringMatching(new RegExp(`transformer is ".*", ${why}`)) }
    await expect(drawn(bare, { transformer })).rejects.toMatchObject(refusal)
    await expect(planMemory(bare, 'cat', { transformer })).rejects.toMatchObject(refusal)
  })
})

describe('GGUF files of the transformer and T5', () => {
  const [transformer, t5] = ['transformer.gguf', 'a t5.gguf'].map((name) => join(temporary, name))
  const without = join(temporary, 'without')
  beforeAll(async () => {
    cpSync(bare, without, { recursive: true, filter: (path) => !/text_encoder_3\/.*\.safetensors$/.test(path) })
    writeFileSync(transformer, await asGguf('transformer', 'diffusion_pytorch_model', 'sd3', (name) => name))
    writeFileSync(t5, await asGguf('text_encoder_3', 'model', 't5encoder', llamaName))
  })

  it('draw the same as the folders whose values they hold, on one device and on ranks', async () => {
    const files = { transformer, textEncoders: { text_encoder_3: t5 } }
    expect(await drawn(without, files)).toEqual(expected)
    expect(await drawn(without, { ...files, offload: 'blocks' })).toEqual(expected)
    const mesh = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, tensor: 2 }, shardT5Encoder: true }
    const team = await startLocalTeam(without, mesh, { device: await testDevice(), ...files })
    const { latents } = await team.run('cat', CALL)
    await team.close()
    expect(relativeL2(latents.data, expected)).toBeLessThan(1e-5)
  })

  it('are planned and drawn with on the command line', async () => {
    const device = traitsOf(await testDevice())
    const { seed: _, ...call } = CALL
    const { host: __, ...whole } = await planMemory(MODEL, 'cat', { device, call })
    const files = { transformer, textEncoders: { text_encoder_3: t5 } }
    expect(await planMemory(without, 'cat', { device, call, ...files })).toMatchObject(whole)

    const flags = ['--height', '32', '--width', '32', '--num_inference_steps', '1', '--output_directory', temporary]
    const own = ['--transformer', transformer, '--text_encoder_3', t5]
    const run = await runInProcess(['generate', '--model', without, '--prompt', 'cat', ...flags, ...own])
    expect(run.code, run.err.join('\n')).toBe(0)
    const wrong = await runInProcess([
      'generate',
      '--model',
      without,
      '--prompt',
      'cat',
      '--text_encoder',
      t5,
      ...flags,
    ])
    expect(wrong).toMatchObject({ code: 1, out: [] })
    expect(wrong.err.join()).toContain(
      'architecture "t5encoder", and webdit reads no CLIPTextModelWithProjection from GGUF',
    )
  })
})

const TYPES: Readonly<Record<string, number>> = { F32: 0, F16: 1, BF16: 30 }

/** The weights of a network of the golden pipeline as a GGUF file. */
async function asGguf(folder: string, stem: string, architecture: string, nameOf: (name: string) => string) {
  const stored = await storedTensors(join(MODEL, folder), `${stem}.safetensors`)
  const tensors = Object.entries(stored).map(([name, { dtype, shape, data }]) => {
    const { buffer, byteOffset, byteLength } = data
    return [nameOf(name), { type: TYPES[dtype], shape, data: new Uint8Array(buffer, byteOffset, byteLength) }]
  })
  return writeGguf({ 'general.architecture': architecture }, Object.fromEntries(tensors))
}

/** What llama.cpp calls a tensor of T5: that which becomes it. */
function llamaName(name: string): string {
  const block = /block\.(\d+)/.exec(name)?.[1]
  const layers = [
    'attn_norm',
    'attn_q',
    'attn_k',
    'attn_v',
    'attn_o',
    'attn_rel_b',
    'ffn_norm',
    'ffn_gate',
    'ffn_up',
    'ffn_down',
  ]
  const names = [
    ...layers.map((layer) => `enc.blk.${block}.${layer}.weight`),
    'token_embd.weight',
    'enc.output_norm.weight',
  ]
  const found = names.find((one) => t5Name(one) === name)
  if (!found) throw new Error(`llama.cpp has no ${name}`)
  return found
}
