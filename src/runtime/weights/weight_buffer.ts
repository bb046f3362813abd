import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import type { Placement } from '../tensor.ts'

/**
 * A buffer for weights, counted against --memory.
 *
 * @throws DitError 'out-of-memory'
 */
export async function weightBuffer(device: Device, bytes: number, label: string): Promise<Placement> {
  const limit = Math.min(device.gpu.limits.maxBufferSize, device.gpu.limits.maxStorageBufferBindingSize)
  if (bytes > limit) {
    throw new DitError(
      'out-of-memory',
      `${label} needs a buffer of ${bytes} bytes, this device allows ${limit}`,
      'use a smaller model, or another device',
    )
  }
  device.reserveWeights(bytes, label)
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
  try {
    return { buffer: await device.buffer({ size: bytes, usage, label }), bytes }
  } catch (error) {
    device.releaseWeights(bytes)
    throw error
  }
}

export function freeWeightBuffer(device: Device, { buffer, bytes }: Placement): void {
  device.releaseWeights(bytes)
  buffer.destroy()
}
