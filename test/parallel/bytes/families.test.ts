import { afterAll, beforeAll, describe, it } from 'vitest'
import { autoencoderKLConfig } from '../../../src/models/autoencoder_kl/config.ts'
import { readJson } from '../../../src/models/component.ts'
import { t5Config, t5Parameters } from '../../../src/models/t5/config.ts'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import type { Workload } from '../../../src/parallel/cost/bytes.ts'
import { type Degrees, ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import { decoderRows } from '../../../src/pipelines/autoencoder_rows.ts'
import { plannedRequest } from '../../../src/pipelines/mesh_plan/workload.ts'
import type { TeamOptions } from '../../../src/pipelines/team/team.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { blockLayouts } from '../../../src/runtime/weights/block_layout.ts'
import { degreesText } from '../../mesh/factorisations.ts'
import { config } from './counted.ts'
import { onPaper } from './on_paper.ts'
import { checkSent, type PaperModel, paperModel } from './paper_model.ts'

// Two texts, one of which is for two pictures.
const PROMPTS = ['a cat', 'a cat', 'An astronaut riding a horse']
const STEPS = 3
// Seven rows of three tokens.
const [HEIGHT, WIDTH] = [112, 48]
const TEXT = 13
const CALL = {
  height: HEIGHT,
  width: WIDTH,
  numInferenceSteps: STEPS,
  maxSequenceLength: TEXT,
  outputType: 'latent',
} as const

interface Model {
  readonly golden: string
  readonly transformer: Readonly<Record<string, unknown>>
  readonly call: TeamOptions
  /** What its encoders give for a text. */
  readonly states: NonNullable<Workload['text']>['states']
  readonly t5: string
}

const MODELS: Readonly<Record<string, Model>> = {
  'FLUX.1': {
    golden: 'pipeline_flux_dev',
    transformer: {
      num_attention_heads: 7,
      attention_head_dim: 12,
      axes_dims_rope: [4, 4, 4],
      num_layers: 2,
      num_single_layers: 3,
    },
    call: { trueCfgScale: 2.5, negativePrompt: 'watermark' },
    // T5's, and CLIP's pooled ones.
    states: [
      { width: 64, tokens: TEXT },
      { width: 32, tokens: 1 },
    ],
    t5: 'text_encoder_2',
  },
  'Stable Diffusion 3.5': {
    golden: 'pipeline_sd3',
    transformer: {
      num_attention_heads: 7,
      attention_head_dim: 12,
      caption_projection_dim: 84,
      num_layers: 5,
      dual_attention_layers: [0, 1, 3],
      qk_norm: 'rms_norm',
    },
    call: { guidanceScale: 5 },
    // CLIP's and T5's as wide as the latter, and both pooled ones.
    states: [
      { width: 96, tokens: 77 + TEXT },
      { width: 32 + 40, tokens: 1 },
    ],
    t5: 'text_encoder_3',
  },
}

type Mesh = readonly [degrees: Partial<Degrees>, rest: Partial<ParallelConfig>, tags: readonly string[]]

const ULYSSES = ['ulysses.qkv', 'ulysses.out']
const TENSOR = ['tensor.sum', 'tensor.sum.sum']
const STAGES = ['stage.activations', 'stage.latents']

const MESHES: Mesh[] = [
  [{ ulysses: 3 }, {}, [...ULYSSES, 'sp.noise']],
  [{ ring: 3 }, {}, ['ring.kv', 'sp.noise']],
  [{ ring: 2, ulysses: 3 }, { deviceWeights: [1, 2, 3, 1, 1, 2] }, [...ULYSSES, 'ring.kv', 'sp.noise']],
  [{ tensor: 3 }, {}, TENSOR],
  [{ cfg: 2, data: 2 }, {}, ['cfg.noise']],
  [{ ulysses: 2, tensor: 2, cfg: 2 }, {}, [...ULYSSES, ...TENSOR, 'cfg.noise', 'sp.noise']],
  ...[0, 1, 2, 3].map((warmupSteps): Mesh => [{ pipefusion: 3 }, { numPipelinePatch: 3, warmupSteps }, STAGES]),
  [{ pipefusion: 2 }, { numPipelinePatch: 4, attnLayerNumForPp: [4, 1] }, STAGES],
  [{ pipefusion: 2, ulysses: 2 }, { numPipelinePatch: 2 }, [...STAGES, ...ULYSSES, 'sp.noise']],
  [{ pipefusion: 2, ring: 2, tensor: 2 }, { numPipelinePatch: 2 }, [...STAGES, ...TENSOR, 'ring.gather', 'sp.noise']],
  [{ ring: 2, tensor: 2 }, { distrifusion: true }, [...TENSOR, 'distri.kv', 'sp.noise']],
  [
    { pipefusion: 2, ulysses: 2, tensor: 2 },
    { shardDit: true, shardT5Encoder: true },
    [...STAGES, ...ULYSSES, ...TENSOR, 'sp.noise', 'weights', 'text.weights'],
  ],
]

/** Bytes of the blocks of T5, which ranks may share. */
async function t5Blocks({ source }: PaperModel, folder: string, { target }: Device): Promise<number[]> {
  const { all } = t5Parameters(t5Config(await readJson(source, `${folder}/config.json`)))
  return blockLayouts([...all], {}, target).map(({ bytes }) => bytes)
}

describe.each(Object.entries(MODELS))('bytes of %s that the fabric counts and those of the formulas', (_, asked) => {
  let model: PaperModel
  const devices: Partial<Record<'f32' | 'f16', Device>> = {}
  beforeAll(async () => {
    model = await paperModel(asked.golden, asked.transformer)
    for (const tier of ['f32', 'f16'] as const) devices[tier] = await onPaper(tier)
  })
  afterAll(() => model?.source.close())

  async function workload(call: TeamOptions, guided: boolean, device: Device): Promise<Workload> {
    const alone = { weights: {}, phases: {} }
    const planned = await plannedRequest(model.source, PROMPTS.length, call, device.target, alone)
    const vae = autoencoderKLConfig(await readJson(model.source, 'vae/config.json'))
    const said = (text: string) => ({ text, tokens: TEXT })
    const pictures = PROMPTS.map((text) => ({ prompt: said(text), negative: guided ? said('') : undefined }))
    return {
      ...planned.workload,
      text: { states: asked.states, pictures, blocks: await t5Blocks(model, asked.t5, device) },
      decoder: call.outputType === 'latent' ? undefined : decoderRows(vae, WIDTH / 8),
    }
  }

  async function check(mesh: ParallelConfig, tags: readonly string[], device: Device, own: TeamOptions) {
    const call: TeamOptions = { ...CALL, ...own }
    const expected = await workload(call, own === asked.call, device)
    await checkSent(model, device, mesh, PROMPTS, call, expected, tags)
  }

  it.each(
    MESHES.map(([degrees, rest, tags], i) => {
      const tier = (['f16', 'f32'] as const)[i % 2]
      const name = `${degreesText({ ...ONE_RANK, ...degrees })} ${JSON.stringify(rest)}`
      return [name, tier, config(degrees, rest), rest.shardT5Encoder ? tags : ['text', ...tags]] as const
    }),
  )('%s, %s', (_name, tier, mesh, tags) => check(mesh, tags, devices[tier]!, asked.call))

  it('without guidance, from the texts to the pixels', async () => {
    const tags = ['text', ...STAGES, 'ring.kv', 'sp.noise']
    const vae = ['vae.latents', 'vae.halo', 'vae.norm', 'vae.attention', 'vae.rows']
    const mesh = config({ pipefusion: 2, ring: 2 }, { vaeParallelSize: 2 })
    await check(mesh, [...tags, ...vae], devices.f16!, { guidanceScale: 1, outputType: 'pil' })
  })
})
