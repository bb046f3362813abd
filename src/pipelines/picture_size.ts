import type { Grid } from '../parallel/crew/pieces.ts'
import { DitError } from '../runtime/errors.ts'
import type { Binning } from './binning.ts'
import { checkInteger, checkSide, type PipelineOptions } from './options.ts'

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
  /** Of families that draw at the nearest trained size unless told otherwise. */
  readonly binning: Binning | undefined
}

/** What a model draws where a caller says so much. @throws DitError 'bad-argument' for sizes that it cannot draw */
export function sizeDrawn(options: SizeOptions, { sampleSize, scale, patch, binning }: NativeSize): PictureSize {
  const [native, multiple] = [sampleSize * scale, scale * patch]
  const [askedHeight, askedWidth] = [options.height ?? native, options.width ?? native]
  const bins = binning?.has(sampleSize) ? binning : undefined
  if (options.useResolutionBinning && !bins) {
    throw new DitError('bad-argument', `useResolutionBinning: there is no table for sample_size ${sampleSize}`)
  }
  let [height, width] = [askedHeight, askedWidth]
  if (bins && options.useResolutionBinning !== false) {
    checkInteger('height', askedHeight, 1, 65_536)
    checkInteger('width', askedWidth, 1, 65_536)
    ;[height, width] = bins.nearest(sampleSize, askedHeight, askedWidth)
  } else {
    checkSide('height', askedHeight, multiple)
    checkSide('width', askedWidth, multiple)
  }
  const [outHeight, outWidth] = bins?.resizes ? [askedHeight, askedWidth] : [height, width]
  return { height, width, outHeight, outWidth, grid: { rows: height / multiple, columns: width / multiple } }
}
