import type { Grid } from '../parallel/crew/pieces.ts'
import { DitError } from '../runtime/errors.ts'
import type { ModelFacts } from './model_facts.ts'
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

/** What of a model decides on sizes: pixels of a side, pixels of a token, and the transformer's sample_size. */
export interface NativeSize {
  readonly native: number
  readonly multiple: number
  readonly sampleSize: number
}

/** What a model draws where a caller says so much. @throws DitError 'bad-argument' for sizes that it cannot draw */
export const sizeDrawn = (options: SizeOptions, { sampleSize, scale, patch }: ModelFacts): PictureSize =>
  pictureSize(options, { native: sampleSize * scale, multiple: scale * patch, sampleSize })

/** @throws DitError 'bad-argument' for sizes that the model cannot draw */
export function pictureSize(options: SizeOptions, { native, multiple, sampleSize }: NativeSize): PictureSize {
  const outHeight = options.height ?? native
  const outWidth = options.width ?? native
  const binned = options.useResolutionBinning ?? hasResolutionBins(sampleSize)
  if (binned && !hasResolutionBins(sampleSize)) {
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
