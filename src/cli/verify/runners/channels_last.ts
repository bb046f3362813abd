/** [batch, channels, height, width] → [batch, height, width, channels], as diffusers gives pictures out. */
export function channelsLast(shape: readonly number[], data: Float32Array): { shape: number[]; data: Float32Array } {
  const [batch, channels, height, width] = shape
  const plane = height * width
  const moved = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) {
    const [n, c, p] = [Math.floor(i / (channels * plane)), Math.floor(i / plane) % channels, i % plane]
    moved[(n * plane + p) * channels + c] = data[i]
  }
  return { shape: [batch, height, width, channels], data: moved }
}
