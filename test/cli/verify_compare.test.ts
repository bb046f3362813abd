import { describe, expect, it } from 'vitest'
import { absolute, compare, EXACT, psnrOf, relative, relativeL2 } from '../../src/cli/verify/compare.ts'

const row = (...data: number[]) => ({ shape: [data.length], data })

describe('compare', () => {
  it('measures ‖a − b‖ / ‖b‖', () => {
    expect(relativeL2([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12)
    expect(relativeL2([0, 0], [0, 0])).toBe(0)
    expect(relativeL2([1, 0], [0, 0])).toBe(Number.POSITIVE_INFINITY)
    expect(compare('x', row(3, 4.5), row(3, 4), relative(0.1001)).ok).toBe(true)
    expect(compare('x', row(3, 4.5), row(3, 4), relative(0.0999)).ok).toBe(false)
  })

  it('measures the greatest distance, and counts values that differ', () => {
    expect(compare('x', row(1, 2.5, -1), row(1, 2, -1.25), absolute(0.5))).toMatchObject({ error: 0.5, ok: true })
    expect(compare('x', row(1, 2.5), row(1, 2), absolute(0.4)).ok).toBe(false)
    expect(compare('x', row(1, 2, 3), row(1, 0, 0), EXACT)).toMatchObject({ error: 2, ok: false })
    expect(compare('x', row(1, 2), row(1, 2), EXACT)).toMatchObject({ error: 0, ok: true })
  })

  it('PSNR is of the given range, or of that of the expected values', () => {
    expect(psnrOf([0.1, 0, 0, 0], [0, 0, 0, 0], 1)).toBeCloseTo(10 * Math.log10(400), 9)
    expect(psnrOf([0, 10, 1], [0, 10, 0], 'own')).toBeCloseTo(10 * Math.log10(300), 9)
    expect(psnrOf([1, 2], [1, 2], 1)).toBe(Number.POSITIVE_INFINITY)
    const decibels = { metric: 'psnr', limit: 26 } as const
    expect(compare('x', row(0.1, 0, 0, 0), row(0, 0, 0, 0), decibels, { range: 1 })).toMatchObject({ ok: true })
    expect(compare('x', row(0.2, 0, 0, 0), row(0, 0, 0, 0), decibels, { range: 1 })).toMatchObject({ ok: false })
  })

  it.each([relative(1), absolute(1), EXACT, { metric: 'psnr', limit: 1 } as const])(
    'a NaN or another shape is never within tolerance: $metric',
    (tolerance) => {
      const nan = compare('x', row(Number.NaN, 1), row(1, 1), tolerance)
      expect(nan).toMatchObject({ ok: false, note: '1 of 2 values are not finite numbers' })
      const shape = compare('x', { shape: [1, 2], data: [1, 1] }, row(1, 1), tolerance)
      expect(shape).toMatchObject({ ok: false, note: 'shape [1, 2], expected [2]' })
      expect(compare('x', row(1), row(), tolerance).ok).toBe(false)
      expect(compare('x', { shape: [2], data: [1] }, row(1, 1), tolerance).ok).toBe(false)
    },
  )
})
