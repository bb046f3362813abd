import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** Steps that are read while they run. */
const AHEAD = 2

/** Reads what each step leaves behind, all of it in one go, while the next one is recorded and computed. */
export class StepReader {
  /** Mapped in turns. */
  readonly #buffers: GPUBuffer[] = []
  #reads = 0

  /** To be awaited before the first `read`, which asks the device at once. @param bytes that a step leaves at most */
  async open({ device }: Recorder, bytes: number): Promise<void> {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
    while (this.#buffers.length < AHEAD) {
      this.#buffers.push(await device.buffer({ size: bytes, usage, label: 'what a step leaves' }))
    }
  }

  /**
   * The tensors as they are after all that is submitted by now; settles when the device has run that. At most two may be
   * pending.
   */
  async read({ device }: Recorder, tensors: readonly Tensor[]): Promise<ArrayBuffer[]> {
    const buffer = this.#buffers[this.#reads++ % AHEAD]
    const encoder = device.gpu.createCommandEncoder()
    const ends: number[] = []
    let end = 0
    for (const { placement, bytes } of tensors) {
      encoder.copyBufferToBuffer(placement!.buffer, placement!.offset ?? 0, buffer, end, bytes)
      end += bytes
      ends.push(end)
    }
    device.gpu.queue.submit([encoder.finish()])
    await device.settled(buffer.mapAsync(GPUMapMode.READ, 0, end))
    const mapped = buffer.getMappedRange(0, end)
    const values = tensors.map(({ bytes }, i) => mapped.slice(ends[i] - bytes, ends[i]))
    buffer.unmap()
    device.throwIfFailed()
    return values
  }

  close(): void {
    for (const buffer of this.#buffers.splice(0)) buffer.destroy()
  }
}
