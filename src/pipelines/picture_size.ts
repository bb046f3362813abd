import type { Grid } from '../parallel/crew/pieces.ts'
import { DitError } from '../runtime/errors.ts'
import { checkInteger, checkSide, type PipelineOptions } from './options.ts'
import { hasResolutionBins, resolutionBin } from './resolution_bins.ts'

/** Pixels that are drawn, and those of the picture that comes of them. */
export interface PictureSize {
  readonly height: number
  readonly width: number
  readonly outHeight: number
  readonly outWidth: number
  /** Tokens of what is drawn. */
  readonly grid: Grid
}

export interface SizeOptions extends Pick<PipelineOptions, 'height' | 'width'> {
  useResolutionBinning?: boolean
}

/** What of a model decides on sizes. */
export interface NativeSize {
  /** Rows of latents of a picture of the native size. */
  readonly sampleSize: number
  /** Pixels of a latent, and rows of latents of a token. */
  readonly scale: number
  readonly patch: number
  /** Whether its family draws at the nearest trained size unless told otherwise. */
  readonly binned: boolean
}

/** What a model draws where a caller says so much. @throws DitError 'bad-argument' for sizes that it cannot draw */
export function sizeDrawn(options: SizeOptions, { sampleSize, scale, patch, binned: bins }: NativeSize): PictureSize {
  const [native, multiple] = [sampleSize * scale, scale * patch]
  const outHeight = options.height ?? native
  const outWidth = options.width ?? native
  const binned = options.useResolutionBinning ?? (bins && hasResolutionBins(sampleSize))
  if (binned && !(bins && hasResolutionBins(sampleSize))) {
    throw new DitError('bad-argument', `useResolutionBinning: there is no table for sample_size ${sampleSize}`)
  }
  let [height, width] = [outHeight, outWidth]
  if (binned) {
    checkInteger('height', outHeight, 1, 65_536)
    checkInteger('width', outWidth, 1, 65_536)
    ;[height, width] = resolutionBin(sampleSize, outHeight, outWidth)
  } else {
    checkSide('height', outHeight, multiple)
    checkSide('width', outWidth, multiple)
  }
  return { height, width, outHeight, outWidth, grid: { rows: height / multiple, columns: width / multiple } }
}
