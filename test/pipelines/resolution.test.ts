import { describe, expect, it } from 'vitest'
import { resizeAndCrop } from '../../src/pipelines/image/resize.ts'
import { hasResolutionBins, resolutionBin } from '../../src/pipelines/resolution_bins.ts'
import { loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const tables = loadGoldenJson('functions', 'tables.json') as {
  pixart_bin_h_w: Record<string, [size: [number, number], bin: [number, number]][]>
}

describe('resolution binning', () => {
  it.each(Object.entries(tables.pixart_bin_h_w))('picks the buckets of diffusers at %s pixels', (pixels, cases) => {
    for (const [[height, width], bin] of cases) {
      expect(resolutionBin(Number(pixels) / 8, height, width)).toEqual(bin)
    }
  })

  it('has no buckets for other sizes', () => {
    expect([16, 32, 64, 128, 256].map(hasResolutionBins)).toEqual([false, true, true, true, true])
  })

  it('resizes and crops as diffusers does', () => {
    const io = loadGolden('functions')
    const { data, shape } = io['input.pixart_resize.image']
    const [, channels, height, width] = shape
    const resized = resizeAndCrop(data as Float32Array, [channels, height, width], 32, 60)
    expect(relativeL2(resized, io['output.pixart_resize.image'].data as Float32Array)).toBeLessThan(5e-6)
  })
})
