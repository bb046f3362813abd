import { describe, expect, it } from 'vitest'
import { relativeChange } from '../../src/caches/agreement.ts'
import { FirstBlockRule } from '../../src/caches/first_block_rule.ts'
import { FLUX_TEACACHE } from '../../src/caches/teacache_coefficients.ts'
import { TeaCacheRule } from '../../src/caches/teacache_rule.ts'

describe('First-Block-Cache', () => {
  it('spares a pass up to the threshold, and none where nothing is known', () => {
    const rule = new FirstBlockRule(0.1)
    expect([0, 0.1, 0.1001, Number.NaN].map((change) => rule.spares(change))).toEqual([true, true, false, false])
  })
})

describe('TeaCache', () => {
  it('spares passes until guesses have added up to the threshold, and begins anew then', () => {
    const rule = new TeaCacheRule(1, [2, 0.1], 10) // guesses 2 · change + 0.1
    const passes = [0.1, 0.2, 0.1, 0.1, 0.3].map((change) => {
      const spared = rule.spares(change)
      if (!spared) rule.computed()
      return spared
    })
    expect(passes).toEqual([true, true, false, true, false]) // 0.3, 0.8, 1.1; 0.3, 1.0
  })

  it('computes the first and the last step always', () => {
    const rule = new TeaCacheRule(1, [1, 0], 4)
    expect([0, 1, 2, 3].map((step) => rule.always(step))).toEqual([true, false, false, true])
  })

  it('takes polynomials as numpy.poly1d does', () => {
    const guess = (change: number) => {
      // The guess lies between two thresholds that differ by little.
      let [low, high] = [0, 10]
      while (high - low > 1e-9) {
        const middle = (low + high) / 2
        if (new TeaCacheRule(middle, FLUX_TEACACHE, 9).spares(change)) high = middle
        else low = middle
      }
      return low
    }
    // numpy.poly1d([4.98651651e+02, -2.83781631e+02, 5.58554382e+01, -3.82021401e+00, 2.64230861e-01])(0.053), (0.3)
    expect(guess(0.053)).toBeCloseTo(0.1803434878732472, 6)
    expect(guess(0.3)).toBeCloseTo(0.5221304321, 6)
  })
})

it('the relative change is of sums over all ranks', () => {
  expect(relativeChange([1, 4, 2, 6])).toBe(0.3)
  expect(relativeChange([0, 0])).toBeNaN()
})
