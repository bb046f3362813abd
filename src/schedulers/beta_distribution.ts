/**
 * The quantile of the beta distribution with both parameters `a` (symmetric about 1/2): the x below which a share `p`
 * lies. As scipy.stats.beta.ppf(p, a, a), to about 1e-12.
 */
export function symmetricBetaQuantile(p: number, a: number): number {
  if (p > 0.5) return 1 - symmetricBetaQuantile(1 - p, a)
  if (p <= 0) return 0
  if (p === 0.5) return 0.5
  // x^a grows about as p does, so bisecting it keeps the relative precision of small quantiles.
  let low = 0
  let high = 0.5 ** a
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (lowerShare(middle ** (1 / a), a) < p) low = middle
    else high = middle
  }
  return ((low + high) / 2) ** (1 / a)
}

/** The share of the distribution below x, for x up to 1/2: the incomplete beta function over its value at 1/2, halved. */
function lowerShare(x: number, a: number): number {
  return (0.5 * incomplete(x, a)) / incomplete(0.5, a)
}

/** ∫ t^(a-1) (1-t)^(a-1) dt from 0 to x, by the binomial series of (1-t)^(a-1); terms halve at least, for x up to 1/2. */
function incomplete(x: number, a: number): number {
  let power = x ** a
  let sum = power / a
  for (let k = 1; k < 200; k++) {
    power *= (x * (k - a)) / k
    const term = power / (a + k)
    sum += term
    if (Math.abs(term) < 1e-17 * sum) break
  }
  return sum
}
