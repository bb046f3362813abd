/** Height and width of the training buckets of PixArt at 1024 (diffusers ASPECT_RATIO_1024_BIN). */
// biome-ignore format: a table
const AT_1024 = [
  [512, 2048], [512, 1856], [576, 1792], [576, 1728], [576, 1664], [640, 1600], [640, 1536], [704, 1472], [704, 1408],
  [704, 1344], [768, 1344], [768, 1280], [832, 1216], [832, 1152], [896, 1152], [896, 1088], [960, 1088], [960, 1024],
  [1024, 1024], [1024, 960], [1088, 960], [1088, 896], [1152, 896], [1152, 832], [1216, 832], [1280, 768], [1344, 768],
  [1408, 704], [1472, 704], [1536, 640], [1600, 640], [1728, 576], [2048, 512],
] as const

/** The same at 2048, which has more of them (ASPECT_RATIO_2048_BIN). */
// biome-ignore format: a table
const AT_2048 = [
  [1024, 4096], [1024, 3968], [1024, 3840], [1024, 3712], [1152, 3584], [1152, 3456], [1152, 3328], [1280, 3200],
  [1280, 3072], [1408, 2944], [1408, 2816], [1408, 2688], [1536, 2688], [1536, 2560], [1664, 2432], [1664, 2304],
  [1792, 2304], [1792, 2176], [1920, 2176], [1920, 2048], [2048, 2048], [2048, 1920], [2176, 1920], [2176, 1792],
  [2304, 1792], [2304, 1664], [2432, 1664], [2560, 1536], [2688, 1536], [2816, 1408], [2944, 1408], [3072, 1280],
  [3200, 1280], [3328, 1152], [3456, 1152], [3584, 1152], [3712, 1024], [3840, 1024], [3968, 1024], [4096, 1024],
] as const

type Size = readonly [height: number, width: number]

const scaled = (by: number): Size[] => AT_1024.map(([height, width]) => [height / by, width / by])

/** The buckets by the model's sample size (latents of a side). Other sizes have none, and are not binned. */
const BINS: Record<number, readonly Size[]> = { 32: scaled(4), 64: scaled(2), 128: AT_1024, 256: AT_2048 }

export const hasResolutionBins = (sampleSize: number): boolean => sampleSize in BINS

/** The bucket whose aspect ratio is nearest (PixArtImageProcessor.classify_height_width_bin). */
export function resolutionBin(sampleSize: number, height: number, width: number): Size {
  // The tables' keys are ratios of two decimals, and distance is measured to those.
  const distance = ([h, w]: Size) => Math.abs(Math.round((h / w) * 100) / 100 - height / width)
  return BINS[sampleSize].reduce((best, size) => (distance(size) < distance(best) ? size : best))
}
