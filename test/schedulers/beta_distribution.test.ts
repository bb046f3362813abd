import { expect, it } from 'vitest'
import { symmetricBetaQuantile } from '../../src/schedulers/beta_distribution.ts'

it.each([0, 1e-6, 0.01, 0.3, 0.5, 0.77, 0.999, 1])('quantile %d where closed forms are known', (p) => {
  // The arcsine distribution, the uniform one, and 3x² - 2x³.
  expect(symmetricBetaQuantile(p, 0.5)).toBeCloseTo(Math.sin((Math.PI * p) / 2) ** 2, 12)
  expect(symmetricBetaQuantile(p, 1)).toBeCloseTo(p, 12)
  const x = symmetricBetaQuantile(p, 2)
  expect(3 * x ** 2 - 2 * x ** 3).toBeCloseTo(p, 12)
})

it('quantiles of scipy.stats.beta.ppf(p, 0.6, 0.6)', () => {
  const known = [
    [0.001, 1.855873851745199e-5],
    [0.05, 0.012554456873611399],
    [0.2, 0.12292175045833292],
    [0.4, 0.3627009907532143],
    [0.65, 0.7032647035646443],
    [0.9, 0.9604155944112192],
    [0.99, 0.9991387611784571],
  ]
  for (const [p, x] of known) expect(Math.abs(symmetricBetaQuantile(p, 0.6) / x - 1)).toBeLessThan(1e-11)
})
