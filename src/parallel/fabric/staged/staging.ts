import { createBuffer, outOfMemory } from '../../../runtime/allocation.ts'
import type { Device } from '../../../runtime/device.ts'
import type { DitError } from '../../../runtime/errors.ts'

/** Buffers of one size that wait for their next use: so many at most, or more where they are small together. */
const KEPT = 4
const KEPT_BYTES = 64 * 2 ** 20

/** The smallest buffer, in bytes. */
const LEAST = 16 * 1024

/** The next of four sizes between powers of two, so that near sizes share buffers. */
function sizeClass(bytes: number): number {
  if (bytes <= LEAST) return LEAST
  const step = 2 ** Math.floor(Math.log2(bytes)) / 4
  return Math.ceil(bytes / step) * step
}

/** Buffers that the host can map, to read what the device wrote or to write what it will read, kept for their next use. */
export class Staging {
  readonly #device: Device
  /** Told where the device turns out not to have had room for a buffer. */
  readonly #lacking: (error: DitError) => void
  readonly #reading = new Map<number, GPUBuffer[]>()
  readonly #writing = new Map<number, GPUBuffer[]>()
  #closed = false

  constructor(device: Device, lacking: (error: DitError) => void) {
    this.#device = device
    this.#lacking = lacking
  }

  /** A buffer to copy to and then to map for reading. */
  async toRead(bytes: number): Promise<GPUBuffer> {
    const size = sizeClass(bytes)
    const found = this.#reading.get(size)?.pop()
    if (found) return found
    return this.#device.buffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, label: 'sent' })
  }

  /** Takes back one that is unmapped. */
  read(buffer: GPUBuffer): void {
    this.#keep(this.#reading, buffer)
  }

  /**
   * A buffer that is mapped for writing.
   *
   * @throws DitError 'out-of-memory'
   */
  toWrite(bytes: number): GPUBuffer {
    const size = sizeClass(bytes)
    const found = this.#writing.get(size)?.pop()
    if (found) return found
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC
    const descriptor = { size, usage, mappedAtCreation: true, label: 'received' }
    const { buffer, failed } = createBuffer(this.#device.gpu, descriptor)
    void failed.then((lacking) => {
      if (lacking) this.#lacking(outOfMemory(size, 'messages from other ranks'))
    })
    return buffer
  }

  /** Takes back one whose copy was submitted: it is mapped again when the device has done that. */
  async written(buffer: GPUBuffer): Promise<void> {
    try {
      await this.#device.settled(buffer.mapAsync(GPUMapMode.WRITE))
      this.#keep(this.#writing, buffer)
    } catch {
      // The device is lost or closed, which others tell.
    }
  }

  close(): void {
    this.#closed = true
    for (const pool of [this.#reading, this.#writing]) {
      for (const buffers of pool.values()) for (const buffer of buffers) buffer.destroy()
      pool.clear()
    }
  }

  #keep(pool: Map<number, GPUBuffer[]>, buffer: GPUBuffer): void {
    const buffers = pool.get(buffer.size) ?? []
    pool.set(buffer.size, buffers)
    if (this.#closed || buffers.length >= Math.max(KEPT, KEPT_BYTES / buffer.size)) buffer.destroy()
    else buffers.push(buffer)
  }
}
