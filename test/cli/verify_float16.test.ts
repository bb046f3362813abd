import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { absolute, EXACT, relative } from '../../src/cli/verify/compare.ts'
import { halfTolerance, readHalfErrors } from '../../src/cli/verify/float16.ts'
import { GOLDEN } from '../support/golden_io.ts'

describe('what the f16 tier may lose', () => {
  it('is a decibel more than diffusers loses in float16', () => {
    expect(halfTolerance(relative(1e-4), { rel_l2: 1e-3 }).limit).toBeCloseTo(1.122e-3, 6)
    expect(halfTolerance({ metric: 'psnr', limit: 50 }, { psnr: 59.1 })).toEqual({ metric: 'psnr', limit: 58.1 })
    expect(halfTolerance({ metric: 'psnr', limit: 50 }, { psnr: 30 }).limit).toBe(35)
  })

  it('is what float32 may lose where nothing was measured', () => {
    for (const stated of [relative(1e-4), absolute(2e-6), EXACT]) {
      expect(halfTolerance(stated, undefined)).toBe(stated)
    }
    expect(halfTolerance(EXACT, { rel_l2: 1e-3 })).toBe(EXACT)
  })

  it('was measured on the cases of networks and of the trained model', async () => {
    const t5 = await readHalfErrors(GOLDEN, 'text_t5_gated')
    expect(t5?.main.last_hidden_state.rel_l2).toBeGreaterThan(1e-4)
    const apple = await readHalfErrors(join(GOLDEN, '../../../models/emoji-pixart/golden'), 'red-apple')
    expect(apple?.main.image.psnr).toBeGreaterThan(50)
    expect(await readHalfErrors(GOLDEN, 'scheduler_ddim')).toBeUndefined()
    expect(await readHalfErrors(join(GOLDEN, 'text_t5_gated'), 'main')).toBeUndefined()
  })
})
