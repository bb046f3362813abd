import { beforeAll, describe, expect, it } from 'vitest'
import { ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { degreesText, factorisations } from '../../mesh/factorisations.ts'
import { config, SmallRequest } from './counted.ts'
import { onPaper } from './on_paper.ts'

// Five pictures, and heads of five values: some messages have odd numbers of values, which take two bytes more.
const request = new SmallRequest(
  { pictures: 5, steps: 2 },
  { layers: 8, heads: 12, headDim: 5 },
  { stream: 4, operand: 2 },
)

/** The tags that a mesh needs. */
function tagsOf({ tensor, ulysses, ring, pipefusion, cfg }: (typeof MESHES)[number], keeps: boolean): string[] {
  return [
    ...(tensor > 1 ? ['tensor.sum', 'tensor.sum.sum'] : []),
    ...(ulysses > 1 ? ['ulysses.qkv', 'ulysses.out'] : []),
    ...(ring > 1 ? [keeps ? 'ring.gather' : 'ring.kv'] : []),
    ...(ulysses * ring > 1 ? ['sp.noise'] : []),
    ...(cfg > 1 ? ['cfg.noise'] : []),
    ...(pipefusion > 1 ? ['stage.activations', 'stage.latents'] : []),
  ]
}

const MESHES = [...factorisations(8), { ...ONE_RANK, pipefusion: 2, cfg: 2, ulysses: 4 }]

describe('bytes in tier f16, on paper', () => {
  let device: Device
  beforeAll(async () => {
    device = await onPaper('f16')
  })

  it('is that tier', () => expect(device.tier).toBe('f16'))

  it.each(MESHES.map((degrees) => [degreesText(degrees), degrees] as const))('%s', async (_, degrees) => {
    for (const numPipelinePatch of [1, 2]) {
      await request.check(config(degrees, { numPipelinePatch }), tagsOf(degrees, numPipelinePatch > 1), device)
    }
  })

  it('distrifusion', () =>
    request.check(config({ ring: 2, ulysses: 3 }, { distrifusion: true }), ['distri.kv', 'sp.noise'], device))
})
