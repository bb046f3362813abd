import type { Device } from '../../../runtime/device.ts'

/** Buffers of one size that wait for their next use, at most; more are destroyed. */
const KEPT = 4

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
  readonly #reading = new Map<number, GPUBuffer[]>()
  readonly #writing = new Map<number, GPUBuffer[]>()
  #closed = false

  constructor(device: Device) {
    this.#device = device
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

  /** A buffer that is mapped for writing. */
  async toWrite(bytes: number): Promise<GPUBuffer> {
    const size = sizeClass(bytes)
    const found = this.#writing.get(size)?.pop()
    if (found) return found
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC
    return this.#device.buffer({ size, usage, mappedAtCreation: true, label: 'received' })
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
    if (this.#closed || buffers.length >= KEPT) buffer.destroy()
    else buffers.push(buffer)
  }
}
