/**
 * Bilinear resize that covers the new size, then a centre crop (diffusers PixArtImageProcessor.resize_and_crop_tensor,
 * torch's interpolate without aligned corners or antialiasing).
 *
 * @param x one picture, [channels, height, width]
 */
export function resizeAndCrop(
  x: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  newHeight: number,
  newWidth: number,
): Float32Array {
  if (height === newHeight && width === newWidth) return x
  const ratio = Math.max(newHeight / height, newWidth / width)
  const resizedHeight = Math.floor(height * ratio)
  const resizedWidth = Math.floor(width * ratio)
  const top = Math.floor((resizedHeight - newHeight) / 2)
  const left = Math.floor((resizedWidth - newWidth) / 2)
  const rows = samples(newHeight, top, height, resizedHeight)
  const columns = samples(newWidth, left, width, resizedWidth)
  const out = new Float32Array(channels * newHeight * newWidth)
  let at = 0
  for (let c = 0; c < channels; c++) {
    const plane = c * height * width
    for (const row of rows) {
      const [upper, lower] = [plane + row.low * width, plane + row.high * width]
      for (const column of columns) {
        const above = x[upper + column.low] * (1 - column.part) + x[upper + column.high] * column.part
        const below = x[lower + column.low] * (1 - column.part) + x[lower + column.high] * column.part
        out[at++] = above * (1 - row.part) + below * row.part
      }
    }
  }
  return out
}

/** For each of `count` new positions from `first` on: its two neighbours in the old ones and the share of the second. */
function samples(count: number, first: number, size: number, resized: number) {
  return Array.from({ length: count }, (_, i) => {
    const position = Math.max(((first + i + 0.5) * size) / resized - 0.5, 0)
    const low = Math.min(Math.floor(position), size - 1)
    return { low, high: Math.min(low + 1, size - 1), part: position - low }
  })
}
