import { describe, it } from 'vitest'
import { config, SmallRequest } from './counted.ts'

// Nine rows of three tokens and ten heads: nothing comes out even.
const request = new SmallRequest({ pictures: 1, steps: 3 })

describe('one method alone: bytes that the fabric counts and those of the formulas', () => {
  it('one rank sends nothing', () => request.check(config({}), []))

  it.each([2, 3, 4])('ulysses %i', (ulysses) =>
    request.check(config({ ulysses }), ['ulysses.qkv', 'ulysses.out', 'sp.noise']),
  )

  it.each([2, 3, 4])('ring %i', (ring) => request.check(config({ ring }), ['ring.kv', 'sp.noise']))

  it.each([2, 3, 7])('tensor %i', (tensor) => request.check(config({ tensor }), ['tensor.sum', 'tensor.sum.sum']))

  it('cfg', () => request.check(config({ cfg: 2 }), ['cfg.noise']))

  it.each([
    [2, 2, 0],
    [2, 3, 1],
    [3, 4, 2],
    [4, 4, 9],
  ])('pipefusion %i, %i patches, %i steps of warm-up', (pipefusion, numPipelinePatch, warmupSteps) =>
    request.check(config({ pipefusion }, { numPipelinePatch, warmupSteps }), ['stage.activations', 'stage.latents']),
  )

  it('pipefusion by given numbers of blocks', () =>
    request.check(config({ pipefusion: 2 }, { numPipelinePatch: 2, attnLayerNumForPp: [3, 1] }), [
      'stage.activations',
      'stage.latents',
    ]))

  it.each([0, 1, 2, 3, 9])('distrifusion, %i steps of warm-up', (warmupSteps) =>
    request.check(config({ ulysses: 3 }, { distrifusion: true, warmupSteps }), ['distri.kv', 'sp.noise']),
  )
})
