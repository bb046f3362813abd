import type { HostArray } from '../golden_io.ts'

/** FLUX's latents as diffusers packs them, [pictures, tokens, 4 · channels], in the shape that webdit has. */
export function unpacked(
  { shape, data }: HostArray,
  rows: number,
  columns: number,
): HostArray & { data: Float32Array } {
  const [pictures, tokens, values] = shape
  const channels = values / 4
  const out = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) {
    const [picture, token, value] = [Math.floor(i / (tokens * values)), Math.floor(i / values) % tokens, i % values]
    const [channel, py, px] = [value >> 2, (value >> 1) & 1, value & 1]
    const [row, column] = [Math.floor(token / columns) * 2 + py, (token % columns) * 2 + px]
    out[((picture * channels + channel) * rows * 2 + row) * columns * 2 + column] = Number(data[i])
  }
  return { shape: [pictures, channels, rows * 2, columns * 2], data: out }
}

/** The other way: [pictures, channels, height, width] packed. */
export function packed({ shape, data }: HostArray): HostArray & { data: Float32Array } {
  const [pictures, channels, height, width] = shape
  const tokens = (height * width) / 4
  const out = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width) % height]
    const [channel, picture] = [
      Math.floor(i / (width * height)) % channels,
      Math.floor(i / (width * height * channels)),
    ]
    const token = (y >> 1) * (width / 2) + (x >> 1)
    out[(picture * tokens + token) * channels * 4 + channel * 4 + (y & 1) * 2 + (x & 1)] = Number(data[i])
  }
  return { shape: [pictures, tokens, channels * 4], data: out }
}
