import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AutoencoderKLConfig, autoencoderKLConfig } from '../../../src/models/autoencoder_kl/config.ts'
import { readJson } from '../../../src/models/component.ts'
import { loadTokenizer, type TextTokenizer } from '../../../src/models/tokenizers/load_tokenizer.ts'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { bytesSent, type Workload } from '../../../src/parallel/cost/bytes.ts'
import { decoderRows } from '../../../src/pipelines/autoencoder_rows.ts'
import { startLocalTeam } from '../../../src/pipelines/team/local_team.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import { BLOCK, config } from './counted.ts'
import { onPaper } from './on_paper.ts'

const MODEL = fileURLToPath(new URL('../../../models/emoji-pixart/', import.meta.url))

// Two texts, one of which is for two pictures of one crew, and the empty one to stay away from.
const PROMPTS = ['red apple', 'red apple', 'a cat with sunglasses and a hat']
const STEPS = 2
// Five rows of three tokens: ten rows of six latents.
const [HEIGHT, WIDTH] = [80, 48]

let source: Source
let tokenizer: TextTokenizer
let vae: AutoencoderKLConfig

beforeAll(async () => {
  source = await openFolder(MODEL)
  tokenizer = await loadTokenizer(source, 'tokenizer')
  vae = autoencoderKLConfig(await readJson(source, 'vae/config.json'))
})
afterAll(() => source?.close())

function workload(guided: boolean): Omit<Workload, 'elementBytes'> {
  const encoded = (text: string) => {
    const { attentionMask } = tokenizer.encode([text], { maxLength: 300, padding: 'max_length' })
    return { text, tokens: attentionMask.reduce((a, b) => a + b, 0) }
  }
  const texts = PROMPTS.map((text) => ({ prompt: encoded(text), negative: guided ? encoded('') : undefined }))
  return {
    blocks: Array(8).fill(BLOCK),
    heads: 10,
    headDim: 32,
    outputs: 2 * 2 * 16,
    grid: { rows: 5, columns: 3 },
    pictures: PROMPTS.length,
    guided,
    steps: STEPS,
    latents: { channels: 8, patch: 2 },
    text: { states: [{ width: 256 }], pictures: texts },
    decoder: decoderRows(vae, 6),
  }
}

/** Expects that every rank sends, from the texts to the pixels, what the formulas say, and that all those tags occur. */
async function check(
  mesh: ParallelConfig,
  device: Device,
  tags: readonly string[],
  guidanceScale = 4.5,
): Promise<void> {
  const team = await startLocalTeam(source, mesh, { device })
  try {
    await team.run(PROMPTS, { height: HEIGHT, width: WIDTH, numInferenceSteps: STEPS, guidanceScale, seed: 1 })
    const counted = (await team.sent()).map((sent) => Object.fromEntries(sent))
    const elementBytes = { stream: 4, operand: device.tier === 'f32' ? 4 : 2 }
    const predicted = bytesSent(mesh, { ...workload(guidanceScale > 1), elementBytes })
    expect(predicted.map((sent) => Object.fromEntries(sent))).toEqual(counted)
    expect(new Set(counted.flatMap((sent) => Object.keys(sent)))).toEqual(new Set(tags))
  } finally {
    await team.close()
  }
}

const VAE = ['vae.latents', 'vae.halo', 'vae.norm', 'vae.attention', 'vae.rows']

describe('bytes of a whole request of the embedded model, on paper', () => {
  it.each([
    ['cfg 2 x data 2', config({ cfg: 2, data: 2 }, { vaeParallelSize: 2 }), ['text', 'cfg.noise', ...VAE]],
    [
      'pipefusion 2 x ring 2, three of which decode',
      config({ pipefusion: 2, ring: 2 }, { vaeParallelSize: 3 }),
      ['text', 'stage.activations', 'stage.latents', 'ring.kv', 'sp.noise', ...VAE],
    ],
    [
      'tensor 2 of different speed',
      config({ tensor: 2 }, { vaeParallelSize: 2, deviceWeights: [1, 3] }),
      ['text', 'tensor.sum', 'tensor.sum.sum', ...VAE],
    ],
    ['ulysses 2, one of which decodes', config({ ulysses: 2 }), ['text', 'ulysses.qkv', 'ulysses.out', 'sp.noise']],
    [
      'ring 12, the first and last of which have no rows to decode',
      config({ ring: 12 }, { vaeParallelSize: 12, deviceWeights: [1, ...Array(10).fill(2), 1] }),
      ['text', 'ring.kv', 'sp.noise', ...VAE],
    ],
  ] as const)('%s', async (_, mesh, tags) => {
    for (const tier of ['f32', 'f16'] as const) await check(mesh, await onPaper(tier), tags)
  })

  it('without guidance', async () => {
    const tags = ['text', 'stage.activations', 'stage.latents', 'ring.kv', 'sp.noise']
    await check(config({ pipefusion: 2, ring: 2 }), await onPaper('f16'), tags, 1)
  })
})
