import { describe, expect, it } from 'vitest'
import { HUNYUAN_BINS } from '../../src/pipelines/binning.ts'
import { resizeAndCrop } from '../../src/pipelines/image/resize.ts'
import { sizeDrawn } from '../../src/pipelines/picture_size.ts'
import { hasResolutionBins, resolutionBin } from '../../src/pipelines/resolution_bins.ts'
import { loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const tables = loadGoldenJson('functions', 'tables.json') as {
  hunyuan_map_to_standard_shapes_w_h: [size: [number, number], shape: [number, number]][]
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

  it('gives HunyuanDiT the nearest of its sizes, as diffusers does, and leaves the picture so', () => {
    const native = { sampleSize: 16, scale: 8, patch: 2, binning: HUNYUAN_BINS }
    for (const [[width, height], [outWidth, outHeight]] of tables.hunyuan_map_to_standard_shapes_w_h) {
      // diffusers maps sizes that 16 divides.
      if (width % 16 > 0 || height % 16 > 0) continue
      const size = { height: outHeight, width: outWidth, outHeight, outWidth }
      expect(sizeDrawn({ height, width }, native)).toMatchObject(size)
    }
    expect(sizeDrawn({ height: 1031, width: 767 }, native)).toMatchObject({ height: 1024, width: 768, outHeight: 1024 })
    const exact = sizeDrawn({ height: 96, width: 64, useResolutionBinning: false }, native)
    expect(exact).toMatchObject({ height: 96, width: 64, grid: { rows: 6, columns: 4 } })
  })

  it('resizes and crops as diffusers does', () => {
    const io = loadGolden('functions')
    const { data, shape } = io['input.pixart_resize.image']
    const [, channels, height, width] = shape
    const resized = resizeAndCrop(data as Float32Array, [channels, height, width], 32, 60)
    expect(relativeL2(resized, io['output.pixart_resize.image'].data as Float32Array)).toBeLessThan(5e-6)
  })
})
