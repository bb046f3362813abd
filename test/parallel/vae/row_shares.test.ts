import { describe, expect, it } from 'vitest'
import { pixelShares, rowShares } from '../../../src/parallel/vae/row_shares.ts'

const sizes = (rows: number, weights: number[]) => rowShares(rows, weights).map(({ first, end }) => end - first)

describe('rows of latents', () => {
  it('are shared by weight, from the top down, without gaps', () => {
    expect(rowShares(7, [1, 1, 1])).toEqual([
      { first: 0, end: 3 },
      { first: 3, end: 5 },
      { first: 5, end: 7 },
    ])
    expect(sizes(12, [1, 2, 3])).toEqual([2, 4, 6])
  })

  it('that are fewer than the ranks go to the fastest of them; other shares are empty, and in their place', () => {
    expect(sizes(3, [1, 1, 1, 1, 1])).toEqual([1, 1, 1, 0, 0])
    expect(rowShares(2, [1, 5, 2, 4])).toEqual([
      { first: 0, end: 0 },
      { first: 0, end: 1 },
      { first: 1, end: 1 },
      { first: 1, end: 2 },
    ])
  })
})

describe('rows of pixels', () => {
  it('follow those of latents; the last rank that has any takes what is left over', () => {
    expect(pixelShares(rowShares(5, [1, 1]), 8, 43)).toEqual([
      { first: 0, end: 24 },
      { first: 24, end: 43 },
    ])
    expect(pixelShares(rowShares(2, [1, 2, 3]), 8, 23)).toEqual([
      { first: 0, end: 0 },
      { first: 0, end: 8 },
      { first: 8, end: 23 },
    ])
    expect(pixelShares(rowShares(2, [2, 2, 1]), 8, 23).at(-1)).toEqual({ first: 23, end: 23 })
  })
})
