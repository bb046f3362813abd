import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadComponent } from '../../src/models/component.ts'
import { t5Encoder } from '../../src/models/t5/encoder.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { encoderShareOf } from '../../src/parallel/crew/stages.ts'
import { type Degrees, Mesh, ONE_RANK, sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { byteShares } from '../../src/runtime/weights/block_layout.ts'
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
    const sent = rank.ranks.fabric?.sent.get('weights') ?? 0
    part.weights.free()
    return { final, weightBytes, sent, left: rank.device.weightBytes }
  })

/** Bytes of a block's weights on a rank of so many that divide its heads, in f32: each weight at a multiple of 256. */
function blockBytes(tensor: number): number {
  const whole = (values: number) => Math.ceil((values * 4) / 256) * 256
  const column = whole((WIDTH * WIDTH) / tensor) + whole(WIDTH / tensor)
  const row = whole((WIDTH * WIDTH) / tensor)
  const feedForward = whole((4 * WIDTH * WIDTH) / tensor) * 2 + whole((4 * WIDTH) / tensor)
  return whole(6 * WIDTH) + 2 * (3 * column + row) + feedForward
}

/** What the first of the ranks that divide a sum has besides: three biases. */
const FIRST = 3 * Math.ceil((WIDTH * 4) / 256) * 256

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

      const members = degrees.ulysses * degrees.ring * degrees.cfg
      for (let rank = 0; rank < sizeOf(degrees); rank++) {
        const mesh = new Mesh(degrees, rank)
        const bytes = blockBytes(degrees.tensor) + (mesh.at('tensor') === 0 ? FIRST : 0)
        const { index } = mesh.group('ulysses', 'ring', 'cfg')
        const own = byteShares(bytes, members)[index]
        const blocks = degrees.pipefusion === 1 ? LAYERS : mesh.at('pipefusion') === 0 ? 3 : 2
        // Once for the text, then for each piece of each step.
        const passes = 1 + (degrees.pipefusion === 1 ? STEPS : 1 + (STEPS - 1) * 3)
        expect(sharded[rank].sent).toBe((members - 1) * (own.end - own.first) * blocks * passes)
        expect(kept[rank].sent).toBe(0)

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
        return { hidden, sent: rank.ranks.fabric?.sent.get('text.weights') ?? 0, left: rank.device.weightBytes }
      })
    const [{ hidden }] = await encoded(1, false)
    const ranks = await encoded(3, true)
    for (const one of ranks) {
      expect(one.hidden).toEqual(hidden)
      expect(one.sent).toBeGreaterThan(0)
      expect(one.left).toBe(0)
    }
    await checkpoint.close()
  })
})
