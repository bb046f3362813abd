import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type FromPretrainedOptions, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { checkLoras, type LoraInput, readLora } from '../../src/pipelines/loras/lora_options.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import type { SourceFile } from '../../src/runtime/weights/source.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { random, relativeL2 } from '../support/numbers.ts'

const MODEL = join(GOLDEN, 'pipeline_flux_dev')
const CALL = {
  height: 32,
  width: 48,
  numInferenceSteps: 1,
  maxSequenceLength: 9,
  seed: 3,
  outputType: 'latent',
} as const

const temporary = mkdtempSync(join(tmpdir(), 'webdit-lora-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** Random matrices of rank 2 for layers of so many outputs and inputs. */
function adapter(layers: Record<string, [out: number, input: number]>): Record<string, HostTensor> {
  const tensors: Record<string, HostTensor> = {}
  for (const [layer, [out, input]] of Object.entries(layers)) {
    tensors[`${layer}.lora_down.weight`] = { dtype: 'F32', shape: [2, input], data: random(2 * input) }
    tensors[`${layer}.lora_up.weight`] = { dtype: 'F32', shape: [out, 2], data: random(out * 2) }
    tensors[`${layer}.alpha`] = { dtype: 'F32', shape: [], data: Float32Array.of(0.2) }
  }
  return tensors
}

function written(name: string, tensors: Record<string, HostTensor>): string {
  const path = join(temporary, name)
  writeFileSync(path, writeSafetensors(tensors))
  return path
}

/** Layers whose rows ranks divide, one whose columns they do, two things in one, a block's own and what is before all blocks. */
const IMAGE = {
  lora_unet_double_blocks_0_img_attn_qkv: [192, 64],
  lora_unet_double_blocks_0_txt_mlp_2: [64, 256],
  lora_unet_single_blocks_0_linear1: [448, 64],
  lora_unet_single_blocks_1_linear2: [64, 320],
  lora_unet_single_blocks_1_modulation_lin: [192, 64],
  lora_unet_img_in: [64, 64],
} satisfies Record<string, [number, number]>

let one: string
let two: string
let texts: string
beforeAll(() => {
  one = written('one.safetensors', adapter(IMAGE))
  two = written('two.safetensors', adapter({ lora_unet_double_blocks_0_img_attn_qkv: [192, 64] }))
  const [clip, t5] = [
    'lora_te1_text_model_encoder_layers_0_mlp_fc1',
    'lora_te3_encoder_block_0_layer_0_SelfAttention_q',
  ]
  texts = written('texts.safetensors', adapter({ [clip]: [SIZES.fc1, SIZES.clip], [t5]: [SIZES.q, SIZES.t5] }))
})

/** Of the text encoders of the pipeline. */
const SIZES = { fc1: 64, clip: 32, q: 64, t5: 64 }

async function opened(options: FromPretrainedOptions = {}): Promise<Pipeline> {
  return DiffusionPipeline.fromPretrained(MODEL, { device: await testDevice(), ...options })
}

const latentsOf = async (pipe: Pipeline, loras?: LoraInput[]): Promise<Float32Array> =>
  (await pipe('cat', { ...CALL, loras })).latents.data

/** The bytes of weights that adapters change, and of one that none does. */
async function weightsOf(pipe: Pipeline): Promise<string[]> {
  const { transformer } = pipe.components.networks
  const names = [
    'transformer_blocks.0.attn.to_k.weight',
    'transformer_blocks.0.ff_context.net.2.weight',
    'single_transformer_blocks.0.proj_mlp.weight',
    'single_transformer_blocks.1.proj_out.weight',
    'x_embedder.weight',
    'context_embedder.weight',
  ]
  const bits: string[] = []
  for (const name of names) {
    const { placement, bytes } = transformer.weights.tensor(name)
    bits.push(Buffer.from(await pipe.device.download(placement!.buffer, bytes)).toString('base64'))
  }
  return bits
}

describe('LoRAs', () => {
  it.each(['f16', 'int8_sym_g32'])('come and go, and leave the bits of the base: weights %s', async (weights) => {
    const loads: string[] = []
    const onProgress = (component: string, done: number, total: number) => {
      if (done === total) loads.push(`${component} ${total}`)
    }
    const pipe = await opened({ weights, onProgress })
    const whole = Number(/^transformer (\d+)$/.exec(loads.find((load) => load.startsWith('transformer'))!)![1])
    const [base, bits] = [await latentsOf(pipe), await weightsOf(pipe)]
    loads.length = 0

    await pipe.loadLora(one, 0.5)
    expect(pipe.loras).toEqual([{ file: one, weight: 0.5 }])
    const adapted = await latentsOf(pipe)
    expect(relativeL2(adapted, base)).toBeGreaterThan(0.01)
    const changed = (await weightsOf(pipe)).map((now, i) => now !== bits[i])
    expect(changed).toEqual([true, true, true, true, true, false])
    expect(loads).toEqual([expect.stringMatching(/^transformer \d+$/)])
    expect(Number(loads[0].split(' ')[1])).toBeLessThan(whole / 2)

    // A call may have others, and the next one has what was loaded.
    await pipe.loadLora(texts)
    const all = await latentsOf(pipe)
    const other = await latentsOf(pipe, [two])
    expect(await latentsOf(pipe, [])).toEqual(base)
    expect(await weightsOf(pipe)).toEqual(bits)
    expect(await latentsOf(pipe)).toEqual(all)
    loads.length = 0
    await latentsOf(pipe)
    expect(loads).toEqual([])

    await pipe.unloadLora(texts)
    expect(await latentsOf(pipe)).toEqual(adapted)
    await pipe.unloadLora()
    expect(await weightsOf(pipe)).toEqual(bits)
    expect(await latentsOf(pipe)).toEqual(base)
    pipe.dispose()
    expect((await testDevice()).weightBytes).toBe(0)

    const loaded = await opened({ weights, loras: [{ file: one, weight: 0.5 }, texts] })
    expect(await latentsOf(loaded)).toEqual(all)
    expect(await latentsOf(loaded, [two])).toEqual(other)
    loaded.dispose()
  })

  it.each(['components', 'blocks'] as const)(
    'are the same bits where %s come and go, in texts that were drawn before as well',
    async (offload) => {
      const pipe = await opened()
      const expected = [await latentsOf(pipe), await latentsOf(pipe, [texts, one]), await latentsOf(pipe, [one])]
      pipe.dispose()
      const offloaded = await opened({ offload })
      const drawn = [
        await latentsOf(offloaded),
        await latentsOf(offloaded, [texts, one]),
        await latentsOf(offloaded, [one]),
      ]
      expect(drawn).toEqual(expected)
      offloaded.dispose()
    },
  )

  const mesh = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
    ...ON_ONE_DEVICE,
    ...rest,
    degrees: { ...ONE_RANK, ...degrees },
  })

  it.each<[string, ParallelConfig, string]>([
    [
      'slices of weights, a share each of every block, numbers of few bits',
      mesh({ tensor: 2, ring: 2 }, { shardDit: true, shardT5Encoder: true }),
      'int8_sym_g32',
    ],
    ['stages', mesh({ pipefusion: 2 }, { warmupSteps: 1, numPipelinePatch: 2 }), 'f16'],
  ])('are merged by ranks into what they have: %s', async (_, config, weights) => {
    const pipe = await opened({ weights })
    const [base, expected] = [await latentsOf(pipe), await latentsOf(pipe, [one, texts])]
    pipe.dispose()
    const team = await startLocalTeam(MODEL, config, { device: await testDevice(), weights, loras: [two] })
    const drawn = async (loras: string[]) => (await team.run('cat', { ...CALL, loras })).latents.data
    try {
      const before = await drawn([])
      expect(relativeL2(before, base)).toBeLessThan(2e-5)
      expect(relativeL2(await drawn([one, texts]), expected)).toBeLessThan(2e-5)
      expect(await drawn([])).toEqual(before)
    } finally {
      await team.close()
    }
  })
})

describe('what is no LoRA for the model', () => {
  let pipe: Pipeline
  let bits: string[]
  beforeAll(async () => {
    pipe = await opened()
    bits = await weightsOf(pipe)
  })
  afterAll(() => pipe?.dispose())

  const inMemory = (tensors: Record<string, HostTensor>, metadata?: Record<string, string>): SourceFile => ({
    source: memorySource(new Map([['a.safetensors', writeSafetensors(tensors, metadata)]]), 'there'),
    path: 'a.safetensors',
  })
  const matrix = (...shape: number[]): HostTensor => ({
    dtype: 'F32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })
  const layer = 'transformer.transformer_blocks.0.attn.to_q'
  const pair = { [`${layer}.lora_A.weight`]: matrix(4, 64), [`${layer}.lora_B.weight`]: matrix(64, 4) }
  const peft = (config: object) => ({ lora_adapter_metadata: JSON.stringify(config) })

  it.each<[string, SourceFile | (() => SourceFile), string, string | RegExp]>([
    [
      'of another family',
      () =>
        inMemory({ ...pair, ...adapter({ lora_unet_joint_blocks_0_x_block_attn_qkv: [9, 9], lora_te2_a: [1, 1] }) }),
      'corrupt',
      'there/a.safetensors is no whole LoRA: without an alpha, which others have (1): transformer.transformer_blocks.0.attn.to_q',
    ],
    [
      'of another family',
      () => inMemory(adapter({ lora_unet_joint_blocks_0_x_block_attn_qkv: [9, 9], lora_te2_a: [1, 1] })),
      'bad-argument',
      'there/a.safetensors is a LoRA of another model than this FluxPipeline, by 2 of its 2 layers: layers that it has not (2): lora_te2_a, lora_unet_joint_blocks_0_x_block_attn_qkv',
    ],
    [
      'of another size',
      () => inMemory(adapter({ lora_unet_double_blocks_0_img_attn_qkv: [180, 64] })),
      'bad-argument',
      /by 1 of its 1 layers: layers of other shapes \(1\): lora_unet_double_blocks_0_img_attn_qkv is \[180, 2\] by \[2, 64\], for transformer_blocks\.0\.attn\.to_q \[64, 64\], transform/,
    ],
    [
      'of two ranks',
      () => inMemory({ ...pair, [`${layer}.lora_B.weight`]: matrix(64, 3) }),
      'corrupt',
      'of two ranks (1)',
    ],
    [
      'without one of its matrices',
      () => inMemory({ [Object.keys(pair)[0]]: matrix(4, 64), ...adapter(IMAGE) }),
      'corrupt',
      'without an up (lora_B) matrix (1)',
    ],
    [
      'of another rank than is said',
      () => inMemory(pair, peft({ 'transformer.r': 8, 'transformer.lora_alpha': 8 })),
      'corrupt',
      'the matrices of transformer_blocks.0.attn.to_q have rank 4, and lora_adapter_metadata of there/a.safetensors says 8',
    ],
    [
      'without an alpha that should be said',
      () => inMemory(pair, peft({ 'transformer.r': 4 })),
      'corrupt',
      'has lora_alpha missing, expected a number',
    ],
    [
      'with an alpha that is none',
      () => inMemory({ ...pair, [`${layer}.alpha`]: matrix(2) }),
      'corrupt',
      `${layer}.alpha of there/a.safetensors has shape [2], expected one number`,
    ],
    [
      'twice',
      () =>
        inMemory({
          ...pair,
          'transformer_blocks.0.attn.to_q.lora_A.weight': matrix(1, 64),
          'transformer_blocks.0.attn.to_q.lora_B.weight': matrix(64, 1),
        }),
      'corrupt',
      'adapts transformer_blocks.0.attn.to_q twice',
    ],
    [
      'DoRA',
      () => inMemory({ ...pair, [`${layer}.lora_magnitude_vector`]: matrix(64) }),
      'unsupported',
      'is DoRA, and webdit merges LoRA alone: tensors (1)',
    ],
    [
      'DoRA by its config',
      () => inMemory(pair, peft({ 'transformer.r': 4, 'transformer.lora_alpha': 4, 'transformer.use_dora': true })),
      'unsupported',
      'the adapter is DoRA',
    ],
    ['LoHa', () => inMemory({ 'lora_unet_img_in.hada_w1_a': matrix(2, 2) }), 'unsupported', 'is LoHa'],
    ['LoKr', () => inMemory({ 'lora_unet_img_in.lokr_w1': matrix(2, 2) }), 'unsupported', 'is LoKr'],
    [
      'a convolution in three',
      () => inMemory({ ...pair, 'lora_unet_a.lora_mid.weight': matrix(2, 2) }),
      'unsupported',
      'three factors',
    ],
    [
      'of eight bits',
      () =>
        inMemory({ ...pair, [`${layer}.lora_A.weight`]: { dtype: 'I8', shape: [4, 64], data: new Int8Array(256) } }),
      'corrupt',
      'neither F32, F16 nor BF16 (1)',
    ],
    [
      'weights of a model',
      () => inMemory({ 'x_embedder.weight': matrix(2, 2) }),
      'bad-argument',
      'there/a.safetensors holds no LoRA: its tensors (1): x_embedder.weight',
    ],
    ['an empty file', () => inMemory({}), 'bad-argument', 'it has no tensors'],
    [
      'no safetensors',
      () => ({ source: memorySource(new Map([['a.safetensors', new Uint8Array(3)]]), 'there'), path: 'a.safetensors' }),
      'corrupt',
      'there/a.safetensors is not a valid safetensors file: it has 3 bytes',
    ],
  ])('is refused: %s', async (_, file, kind, message) => {
    const error = await failure(pipe.loadLora((file as () => SourceFile)()))
    expect(error).toMatchObject({
      kind,
      message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    })
    expect(pipe.loras).toEqual([])
  })

  it('is refused by its name, and with its weight', async () => {
    expect(await failure(pipe.loadLora('lora.pt'))).toMatchObject({
      message: 'the LoRA "lora.pt" is no .safetensors file',
    })
    expect(await failure(pipe.loadLora('no.safetensors'))).toMatchObject({
      kind: 'not-found',
      message: 'the LoRA "no.safetensors" is not there',
    })
    expect(await failure(pipe.loadLora(one, Number.NaN))).toMatchObject({
      message: expect.stringContaining('is NaN, expected a number'),
    })
    expect(await failure(pipe.unloadLora(one))).toMatchObject({ message: expect.stringContaining('is not loaded') })
    expect(await failure(pipe('cat', { ...CALL, loras: [one, one] }))).toMatchObject({
      message: expect.stringContaining('given twice'),
    })
    expect(await weightsOf(pipe)).toEqual(bits)
  })

  it('changes nothing for the calls after one that could not read it', async () => {
    const { source, path } = inMemory(
      adapter({ lora_unet_img_in: [64, 64], lora_unet_double_blocks_0_txt_mlp_2: [64, 256] }),
    )
    let reads = 0
    const failing: SourceFile = {
      path,
      source: {
        ...source,
        async readInto(...args) {
          // Its header and alphas, and the matrices of one layer.
          if (++reads > 6) throw new Error('gone')
          return source.readInto(...args)
        },
      },
    }
    const base = await latentsOf(pipe)
    expect(await failure(latentsOf(pipe, [{ file: failing }]))).toMatchObject({ message: 'gone' })
    expect(await weightsOf(pipe)).not.toEqual(bits)
    expect(await latentsOf(pipe)).toEqual(base)
    expect(await weightsOf(pipe)).toEqual(bits)
  })
})

describe('--lora', () => {
  it.each([
    ['a.safetensors', 'a.safetensors', 1],
    ['a.safetensors:0.5', 'a.safetensors', 0.5],
    ['C:\\loras\\a.safetensors', 'C:\\loras\\a.safetensors', 1],
    ['https://host:80/a.safetensors?key=1:-2e-1', 'https://host:80/a.safetensors?key=1', -0.2],
    ['http://host:80/a.safetensors', 'http://host:80/a.safetensors', 1],
  ])('reads %s', (text, file, weight) => {
    expect(readLora(text)).toEqual({ file, weight })
  })

  it.each([
    ['a.safetensors:heavy', 'is "heavy", expected a number'],
    ['a.safetensors:', 'is "", expected a number'],
    ['a.safetensors:Infinity', 'is "Infinity", expected a number'],
    ['a.bin:1', '"a.bin" is no .safetensors file'],
  ])('refuses %s', (text, message) => {
    expect(() => readLora(text)).toThrow(message)
  })

  it('is merged and told of in the file; what is wrong with it is told before a device is opened', async () => {
    const flags = [
      '--height',
      '32',
      '--width',
      '32',
      '--num_inference_steps',
      '1',
      '--seed',
      '3',
      '--output_type',
      'latent',
    ]
    const command = ['generate', '--model', MODEL, '--prompt', 'cat', '--output_directory', temporary, ...flags]
    const refused = await runInProcess([...command, '--lora', `${one}:much`])
    expect([refused.code, refused.err.join()]).toEqual([2, expect.stringContaining('--lora: the weight of the LoRA')])
    const { code, out } = await runInProcess([...command, '--lora', `${one}:0.5`, two])
    expect(code).toBe(0)
    expect(readFileSync(out[0]).includes('one.safetensors:0.5 two.safetensors:1')).toBe(true)
  })

  it('takes a list alone', () => {
    expect(() => checkLoras('a.safetensors' as unknown as string[])).toThrow('expected a list')
    expect(() => checkLoras([3 as unknown as string])).toThrow('a LoRA is 3, expected a file')
  })
})
