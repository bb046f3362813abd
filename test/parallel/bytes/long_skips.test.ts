import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hunyuanDiTConfig } from '../../../src/models/hunyuan_dit/config.ts'
import { skipsAcross as skipsOfModel } from '../../../src/models/hunyuan_dit/skips.ts'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { skipsAcross } from '../../../src/parallel/cost/work.ts'
import { type Degrees, ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import { hunyuanDiTWork } from '../../../src/pipelines/mesh_plan/family_work/hunyuan_dit.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { degreesText } from '../../mesh/factorisations.ts'
import { config } from './counted.ts'
import { onPaper } from './on_paper.ts'
import { checkSent, type PaperModel, paperModel } from './paper_model.ts'

const [HEADS, DIM, LAYERS, STEPS] = [7, 12, 8, 3]
const TRANSFORMER = {
  num_attention_heads: HEADS,
  attention_head_dim: DIM,
  hidden_size: HEADS * DIM,
  num_layers: LAYERS,
}
const STAGES = ['stage.activations', 'stage.latents']

type Mesh = readonly [degrees: Partial<Degrees>, rest: Partial<ParallelConfig>, tags: readonly string[]]
const MESHES: Mesh[] = [
  [{ tensor: 3 }, {}, ['tensor.sum', 'tensor.sum.sum']],
  [{ ulysses: 2, cfg: 2 }, {}, ['ulysses.qkv', 'ulysses.out', 'cfg.noise', 'sp.noise']],
  ...[2, 3, 8].map((pipefusion): Mesh => [{ pipefusion }, { numPipelinePatch: 2 }, STAGES]),
  [{ pipefusion: 3 }, { attnLayerNumForPp: [5, 1, 2] }, STAGES],
  [{ pipefusion: 2, ring: 2 }, { numPipelinePatch: 2 }, [...STAGES, 'ring.gather', 'sp.noise']],
]

it.each([2, 6, 8, 40])('results that cross each border of %i blocks are those that the model hands on', (layers) => {
  const { blocks } = hunyuanDiTWork(hunyuanDiTConfig({ hidden_size: 1408, num_layers: layers }), false)
  for (let border = 1; border < layers; border++) {
    expect(skipsAcross(blocks, border)).toBe(skipsOfModel(layers, border).length)
  }
})

describe('bytes of blocks with long skips, and of rescaled guidance', () => {
  let model: PaperModel
  let device: Device
  beforeAll(async () => {
    model = await paperModel('pipeline_hunyuan_rescaled', TRANSFORMER)
    device = await onPaper('f16')
  })
  afterAll(() => model?.source.close())

  it.each(
    MESHES.map(([degrees, rest, tags]) => {
      const name = `${degreesText({ ...ONE_RANK, ...degrees })} ${JSON.stringify(rest)}`
      return [name, config(degrees, rest), tags] as const
    }),
  )('%s', async (_name, mesh, tags) => {
    const c = hunyuanDiTConfig(JSON.parse(await model.source.readText('transformer/config.json')))
    for (const guidanceRescale of [0, 0.6]) {
      const workload = {
        ...hunyuanDiTWork(c, guidanceRescale > 0),
        heads: HEADS,
        headDim: DIM,
        grid: { rows: 7, columns: 3 },
        pictures: 1,
        guided: true,
        steps: STEPS,
        latents: { channels: 4, patch: 2 },
        text: {
          // BERT's and T5's.
          states: [
            { width: 40, tokens: 77 },
            { width: 48, tokens: 256 },
          ],
          pictures: [{ prompt: { text: 'a cat', tokens: 3 }, negative: { text: '', tokens: 2 } }],
        },
        elementBytes: { stream: 4, operand: 2 },
      }
      const call = {
        height: 112,
        width: 48,
        useResolutionBinning: false,
        numInferenceSteps: STEPS,
        guidanceRescale,
        outputType: 'latent',
      } as const
      await checkSent(model, device, mesh, ['a cat'], call, workload, ['text', ...tags])
    }
  })
})
