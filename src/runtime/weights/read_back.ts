import type { Device } from '../device.ts'

/** Bytes that are read at once. */
const CHUNK = 16 * 2 ** 20

/** Fills `target`, whole words of 4 bytes, from the start of a buffer, chunk by chunk. */
export async function readBack(device: Device, buffer: GPUBuffer, target: Uint8Array): Promise<void> {
  const size = Math.min(CHUNK, target.byteLength)
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
  const staging = await device.buffer({ size, usage, label: 'weights on their way to the host' })
  try {
    for (let at = 0; at < target.byteLength; at += size) {
      const bytes = Math.min(size, target.byteLength - at)
      await device.checked(() => {
        const encoder = device.gpu.createCommandEncoder()
        encoder.copyBufferToBuffer(buffer, at, staging, 0, bytes)
        device.gpu.queue.submit([encoder.finish()])
      })
      await device.settled(staging.mapAsync(GPUMapMode.READ, 0, bytes))
      target.set(new Uint8Array(staging.getMappedRange(0, bytes)), at)
      staging.unmap()
    }
    device.throwIfFailed()
  } finally {
    staging.destroy()
  }
}
