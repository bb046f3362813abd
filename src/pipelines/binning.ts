import { hasResolutionBins, resolutionBin } from './resolution_bins.ts'
import { standardShape } from './standard_shapes.ts'

/** How a family maps sizes to those that its models were trained for. */
export interface Binning {
  /** Whether there are some for a model, by the rows of latents of its native picture. */
  has(sampleSize: number): boolean
  /** The trained size, [height, width], for one in pixels. */
  nearest(sampleSize: number, height: number, width: number): readonly [height: number, width: number]
  /** Whether the picture is then resized to what was asked for. */
  readonly resizes: boolean
}

/** PixArt's, by aspect ratio; the picture is resized and cropped. */
export const PIXART_BINS: Binning = { has: hasResolutionBins, nearest: resolutionBin, resizes: true }

/** HunyuanDiT's, whatever the model's size; the picture stays as it was drawn. */
export const HUNYUAN_BINS: Binning = {
  has: () => true,
  nearest(_, height, width) {
    const [w, h] = standardShape(wholePatches(width), wholePatches(height))
    return [h, w]
  },
  resizes: false,
}

const wholePatches = (side: number) => Math.max(Math.floor(side / 16), 1) * 16
