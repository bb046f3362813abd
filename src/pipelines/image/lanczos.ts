/** A picture of 8-bit RGB: height x width x 3 bytes, rows from the top. */
export interface RgbBytes {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array | Uint8ClampedArray
}

/** Lobes of sinc on either side. */
const LOBES = 3

/** Bits behind the point of Pillow's weights. */
const PRECISION = 22

/**
 * Pillow's Image.resize with LANCZOS (src/libImaging/Resample.c), byte for byte: rows first, then columns, rounded to
 * bytes in between. That is how diffusers' VaeImageProcessor brings pictures to the size that is drawn.
 */
export function resizeLanczos(picture: RgbBytes, height: number, width: number): RgbBytes {
  const { data, ...size } = picture
  const wide = size.width === width ? data : alongRows(data, size, width)
  const done = size.height === height ? wide : alongColumns(wide, { height: size.height, width }, height)
  return { width, height, data: done }
}

interface Size {
  readonly width: number
  readonly height: number
}

function alongRows(data: RgbBytes['data'], { width, height }: Size, newWidth: number): Uint8ClampedArray {
  const out = new Uint8ClampedArray(3 * newWidth * height)
  const weights = weightsOf(width, newWidth)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++) {
      const { first, values } = weights[x]
      for (let c = 0; c < 3; c++) out[3 * (y * newWidth + x) + c] = sum(data, 3 * (y * width + first) + c, 3, values)
    }
  }
  return out
}

function alongColumns(data: RgbBytes['data'], { width, height }: Size, newHeight: number): Uint8ClampedArray {
  const out = new Uint8ClampedArray(3 * width * newHeight)
  for (const [y, { first, values }] of weightsOf(height, newHeight).entries()) {
    for (let i = 0; i < 3 * width; i++) out[3 * width * y + i] = sum(data, 3 * width * first + i, 3 * width, values)
  }
  return out
}

/** Not yet held to 0 to 255. */
function sum(data: RgbBytes['data'], first: number, stride: number, weights: Int32Array): number {
  let total = 2 ** (PRECISION - 1)
  for (let k = 0; k < weights.length; k++) total += data[first + k * stride] * weights[k]
  return Math.floor(total / 2 ** PRECISION)
}

/** For each new position: the first old one that counts, and the weights from there on, times 2^PRECISION. */
function weightsOf(size: number, newSize: number): { first: number; values: Int32Array }[] {
  const scale = size / newSize
  // Smaller pictures are blurred as much as it takes.
  const blur = Math.max(scale, 1)
  const support = LOBES * blur
  return Array.from({ length: newSize }, (_, x) => {
    const centre = (x + 0.5) * scale
    const first = Math.max(Math.trunc(centre - support + 0.5), 0)
    const end = Math.min(Math.trunc(centre + support + 0.5), size)
    const raw = Array.from({ length: end - first }, (_, k) => lanczos((k + first - centre + 0.5) * (1 / blur)))
    const total = raw.reduce((a, b) => a + b, 0)
    const fixed = raw.map((w) => (w / total) * 2 ** PRECISION)
    return { first, values: Int32Array.from(fixed, (w) => Math.trunc(w < 0 ? w - 0.5 : w + 0.5)) }
  })
}

function lanczos(x: number): number {
  return x >= -LOBES && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}
