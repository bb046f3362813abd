import type { Recorder } from '../../../runtime/recorder.ts'
import type { Tensor } from '../../../runtime/tensor.ts'
import type { HostArray } from '../golden_io.ts'

/** Tensors on the host, by name. */
export async function readAll<K extends string>(
  g: Recorder,
  tensors: Record<K, Tensor>,
): Promise<Record<K, HostArray>> {
  const read: Partial<Record<K, HostArray>> = {}
  for (const [name, tensor] of Object.entries(tensors) as [K, Tensor][]) {
    read[name] = { shape: tensor.shape, data: await g.read(tensor) }
  }
  return read as Record<K, HostArray>
}
