import type { Device } from '../device.ts'

/** Buffers among which the bytes of a block are shared out: while one is copied from, the next is filled. */
const PARTS = 4

interface Part {
  readonly buffer: GPUBuffer
  /** The host may write to it. */
  mapped: boolean
}

/**
 * Host memory that the device copies from, of a bounded size: a ring of buffers, each of which is filled again when the
 * device has done its last copy. What is ahead of the copies in the queue is computed meanwhile.
 */
export class Staging {
  readonly #device: Device
  readonly #parts: readonly Part[]
  readonly #size: number
  #next = 0
  /** It takes no more uploads, and those under way end. */
  closed = false

  private constructor(device: Device, parts: readonly Part[], size: number) {
    this.#device = device
    this.#parts = parts
    this.#size = size
  }

  /**
   * @param bytes that are on their way at a time
   * @throws DitError 'out-of-memory'
   */
  static async open(device: Device, bytes: number): Promise<Staging> {
    const size = Math.max(4, Math.ceil(bytes / PARTS / 4) * 4)
    const parts: Part[] = []
    try {
      for (let k = 0; k < PARTS; k++) {
        const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC
        const label = 'blocks on their way to the device'
        parts.push({ buffer: await device.buffer({ size, usage, mappedAtCreation: true, label }), mapped: true })
      }
    } catch (error) {
      for (const { buffer } of parts) buffer.destroy()
      throw error
    }
    return new Staging(device, parts, size)
  }

  /**
   * Copies `data`, whole words of 4 bytes, to the start of a buffer, behind all that is submitted. One upload at a time.
   *
   * @returns when the last copy is submitted; earlier without it where this was closed
   */
  async upload(data: Uint8Array, target: GPUBuffer): Promise<void> {
    const { gpu } = this.#device
    for (let at = 0; at < data.byteLength; at += this.#size) {
      const part = this.#parts[this.#next]
      this.#next = (this.#next + 1) % this.#parts.length
      if (!part.mapped) await this.#mapped(part)
      if (this.closed) return
      const bytes = data.subarray(at, at + this.#size)
      new Uint8Array(part.buffer.getMappedRange()).set(bytes)
      part.buffer.unmap()
      part.mapped = false
      await this.#device.checked(() => {
        const encoder = gpu.createCommandEncoder()
        encoder.copyBufferToBuffer(part.buffer, 0, target, at, bytes.byteLength)
        gpu.queue.submit([encoder.finish()])
      })
      if (this.closed) return
    }
  }

  async #mapped(part: Part): Promise<void> {
    try {
      await this.#device.settled(part.buffer.mapAsync(GPUMapMode.WRITE))
      part.mapped = true
    } catch (error) {
      // Destroying a buffer ends the wait for it.
      if (!this.closed) throw error
    }
  }

  close(): void {
    this.closed = true
    for (const { buffer } of this.#parts) buffer.destroy()
  }
}
