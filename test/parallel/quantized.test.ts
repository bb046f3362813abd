import { expect, it } from 'vitest'
import { pixartParameters } from '../../src/models/pixart/parameters.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { weightShareOf } from '../../src/parallel/crew/stages.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { quantizedParameters } from '../../src/runtime/weights/quantized.ts'
import { shareBytes } from '../../src/runtime/weights/share_bytes.ts'
import { type WeightFormat, weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { denoisePart, joined, loadPart, type Pictures } from '../support/divided.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

// Half of six heads of 16 are one and a half groups of 32: two ranks of a tensor-parallel group divide one of them.
const source = randomPixArt({ heads: 6, headDim: 16 })
const pictures: Pictures = {
  count: 1,
  height: 8,
  width: 12,
  channels: 4,
  textLength: 5,
  captionChannels: 24,
  captions: random(2 * 5 * 24),
  mask: new Float32Array(10).fill(1),
  guidance: 4.5,
}
const latents = random(4 * 8 * 12)

const drawn = (degrees: Partial<Degrees>, format: WeightFormat, more: Partial<ParallelConfig> = {}) =>
  onMesh({ ...ON_ONE_DEVICE, ...more, degrees: { ...ONE_RANK, ...degrees } }, async (rank) => {
    const part = await loadPart(rank, source, format)
    // What planning counts with.
    const all = quantizedParameters(pixartParameters(part.config), format, 'a test')
    const share = weightShareOf(rank.ranks, part.config.layers)
    expect(rank.device.weightBytes).toBe(shareBytes(all, share, rank.device.target))
    const final = await denoisePart(rank, part, pictures, latents, schedule(2))
    part.weights.free()
    return { final, left: rank.device.weightBytes }
  })

it.each<[string, Partial<Degrees>, Partial<ParallelConfig>]>([
  ['int4_asym_g32', { tensor: 2, ulysses: 2 }, { shardDit: true }],
  ['int8_sym_g32', { pipefusion: 2 }, {}],
])('%s: ranks draw what one device draws', async (name, degrees, more) => {
  const format = weightFormat(name) as WeightFormat
  const [{ final }] = await drawn({}, format)
  const ranks = await drawn(degrees, format, more)
  expect(
    relativeL2(joined(ranks.map((rank) => rank.final)), final!),
    degreesText({ ...ONE_RANK, ...degrees }),
  ).toBeLessThan(2e-5)
  expect(ranks.map(({ left }) => left)).toEqual(ranks.map(() => 0))
})
