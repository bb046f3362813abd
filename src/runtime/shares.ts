import { DitError } from './errors.ts'

/** Numbers [first, end). */
export interface Share {
  readonly first: number
  readonly end: number
}

/**
 * Cuts `total` into one share for each weight, in proportion to it, with no gaps: what is left over goes to the shares
 * that rounding cut most, the first of them first.
 *
 * @param least the smallest share allowed, 1 by default
 * @throws DitError 'bad-argument' where there is less than `least` for each
 */
export function sharesOf(total: number, weights: readonly number[], what: string, least = 1): Share[] {
  const parts = weights.length
  if (total < parts * least) {
    throw new DitError('bad-argument', `${total} ${what} cannot be shared by ${parts} ranks`, 'Use a lower degree.')
  }
  const free = total - parts * least
  const sum = weights.reduce((a, b) => a + b, 0)
  // Beyond the least of each, in proportion; a share never falls below what its weight says but for rounding.
  const ideal = weights.map((w) => Math.max((total * w) / sum - least, 0))
  const scale =
    free /
    Math.max(
      ideal.reduce((a, b) => a + b, 0),
      Number.MIN_VALUE,
    )
  const exact = ideal.map((x) => x * Math.min(scale, Number.MAX_VALUE))
  const sizes = exact.map((x) => least + Math.floor(x + 1e-9))
  const order = exact
    .map((x, i) => ({ i, lost: x - Math.floor(x + 1e-9) }))
    .sort((a, b) => b.lost - a.lost || a.i - b.i)
  let left = total - sizes.reduce((a, b) => a + b, 0)
  for (let k = 0; left > 0; k = (k + 1) % parts, left--) sizes[order[k].i]++
  let first = 0
  return sizes.map((size) => ({ first, end: (first += size) }))
}

/** Equal shares, the first ones one larger where they do not come out even. */
export const evenShares = (total: number, parts: number, what: string): Share[] =>
  sharesOf(total, Array(parts).fill(1), what)
