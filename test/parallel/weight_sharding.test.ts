import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadComponent } from '../../src/models/component.ts'
import { t5Parameters } from '../../src/models/t5/config.ts'
import { t5Encoder } from '../../src/models/t5/encoder.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { bytesSent, type Workload } from '../../src/parallel/cost/bytes.ts'
import type { Ranks } from '../../src/parallel/crew/ranks.ts'
import { encoderShareOf } from '../../src/parallel/crew/stages.ts'
import { type Degrees, Mesh, ONE_RANK, sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { blockLayouts, byteShares } from '../../src/runtime/weights/block_layout.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { denoisePart, joined, loadPart, type Pictures } from '../support/divided.ts'
import { random } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const STEPS = 3
const LAYERS = 5
const WIDTH = 80
const source = randomPixArt({ layers: LAYERS })

const pictures: Pictures = {
  count: 1,
  height: 14,
  width: 12,
  channels: 4,
  textLength: 7,
  captionChannels: 24,
  captions: random(2 * 7 * 24),
  mask: Float32Array.from({ length: 14 }, (_, i) => Number(i % 7 < 5)),
  guidance: 4.5,
}
const latents = random(4 * 14 * 12)

const drawn = (config: ParallelConfig) =>
  onMesh(config, async (rank) => {
    const part = await loadPart(rank, source)
    const { weightBytes } = rank.device
    const final = await denoisePart(rank, part, pictures, latents, schedule(STEPS))
    const sent = new Map(rank.ranks.fabric!.sent)
    part.weights.free()
    return { final, weightBytes, sent, left: rank.device.weightBytes }
  })

const WORKLOAD: Workload = {
  blocks: Array(LAYERS).fill({
    attentions: { image: 1, joint: 0 },
    sums: { image: 3, text: 0 },
    flops: { image: 0, text: 0 },
  }),
  heads: 10,
  headDim: 8,
  passesOfText: 1,
  outputs: 32,
  grid: { rows: 7, columns: 6 },
  pictures: 1,
  guided: true,
  steps: STEPS,
  latents: { channels: 4, patch: 2 },
  elementBytes: { stream: 4, operand: 4 },
}

/** Bytes of a block's weights on a rank of so many that divide its heads, in f32: each weight at a multiple of 256. */
function blockBytes(ranks: number, tensor: number): number {
  const whole = (values: number) => Math.ceil((values * 4) / 256) * 256
  const column = whole((WIDTH * WIDTH) / ranks) + whole(WIDTH / ranks)
  const row = whole((WIDTH * WIDTH) / ranks)
  const feedForward = whole((4 * WIDTH * WIDTH) / ranks) * 2 + whole((4 * WIDTH) / ranks)
  // The first of those that divide a sum adds three biases.
  return whole(6 * WIDTH) + 2 * (3 * column + row) + feedForward + (tensor === 0 ? 3 * whole(WIDTH) : 0)
}

describe('a transformer of which each rank keeps a share of every block', () => {
  const meshes: [Partial<Degrees>, Partial<ParallelConfig>][] = [
    [{ ulysses: 2 }, {}],
    [{ ring: 3 }, {}],
    [{ cfg: 2, ring: 2 }, {}],
    // Columns of a weight are not together in its file.
    [{ tensor: 2, ulysses: 2 }, {}],
    [
      { pipefusion: 2, ulysses: 2 },
      { numPipelinePatch: 3, warmupSteps: 1 },
    ],
    [{ ulysses: 2 }, { distrifusion: true }],
  ]

  it.each(meshes.map(([degrees, more]) => [degreesText({ ...ONE_RANK, ...degrees }), degrees, more] as const))(
    '%s: the same bits, from a part of the memory, for the bytes that are said',
    async (_, given, more) => {
      const degrees = { ...ONE_RANK, ...given }
      const config = { ...ON_ONE_DEVICE, ...more, degrees }
      const kept = await drawn(config)
      const sharded = await drawn({ ...config, shardDit: true })
      expect(joined(sharded.map(({ final }) => final))).toEqual(joined(kept.map(({ final }) => final)))

      const weights = ({ mesh }: Ranks) => Array<number>(LAYERS).fill(blockBytes(degrees.tensor, mesh.at('tensor')))
      const formula = bytesSent({ ...config, shardDit: true }, { ...WORKLOAD, weights })
      const members = degrees.ulysses * degrees.ring * degrees.cfg
      for (let rank = 0; rank < sizeOf(degrees); rank++) {
        const mesh = new Mesh(degrees, rank)
        const bytes = blockBytes(degrees.tensor, mesh.at('tensor'))
        const own = byteShares(bytes, members)[mesh.group('ulysses', 'ring', 'cfg').index]
        const blocks = degrees.pipefusion === 1 ? LAYERS : mesh.at('pipefusion') === 0 ? 3 : 2
        expect(sharded[rank].sent).toEqual(formula[rank])
        expect(sharded[rank].sent.get('weights')).toBeGreaterThan(0)
        expect(kept[rank].sent.has('weights')).toBe(false)

        // Two blocks are whole at a time; weights that are kept have no gaps between them.
        const rest = kept[rank].weightBytes - sharded[rank].weightBytes
        const saved = blocks * (bytes - (own.end - own.first)) - 2 * bytes
        expect(Math.abs(rest - saved)).toBeLessThan(blocks * 30 * 256)
        expect(sharded[rank].left).toBe(0)
      }
    },
  )
})

describe('a text encoder of which each rank keeps a share of every block', () => {
  it('gives the same bits on all ranks', async () => {
    const folder = fileURLToPath(new URL('../fixtures/golden/text_t5_gated', import.meta.url))
    const checkpoint = await openFolder(folder)
    const ids = Array.from({ length: 2 * 9 }, (_, i) => (i * 37) % 200)
    const encoded = (ranks: number, shardT5Encoder: boolean) =>
      onMesh({ ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: ranks }, shardT5Encoder }, async (rank) => {
        const t5 = await loadComponent(rank.device, 'T5EncoderModel', checkpoint, '', {
          share: () => encoderShareOf(rank.ranks),
        })
        const hidden = await rank.g.read(await t5Encoder(rank.g, t5.config, t5.weights, ids, 2))
        t5.weights.free()
        const blocks = blockLayouts([...t5Parameters(t5.config).all], {}, rank.device.target).map(({ bytes }) => bytes)
        const sent = new Map(rank.ranks.fabric?.sent)
        return { hidden, blocks, sent, left: rank.device.weightBytes }
      })
    const [{ hidden }] = await encoded(1, false)
    const ranks = await encoded(3, true)
    const config = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: 3 }, shardT5Encoder: true }
    const text = { states: [], pictures: [], blocks: ranks[0].blocks }
    const formula = bytesSent(config, { ...WORKLOAD, text })
    for (const [rank, one] of ranks.entries()) {
      expect(one.hidden).toEqual(hidden)
      expect(one.sent).toEqual(new Map([['text.weights', formula[rank].get('text.weights')]]))
      expect(one.left).toBe(0)
    }
    await checkpoint.close()
  })
})
