const MAPPABLE = 0x1 | 0x2 // MAP_READ | MAP_WRITE, spelled out: no WebGPU globals at import

/** Keeps account of the buffers of one device, and of the host memory that moving bytes to and from them takes. */
export class BufferLedger {
  /** Bytes of all buffers that were not destroyed yet, and the most that they ever were. */
  bytes = 0
  peak = 0
  /** The greatest single buffer so far. */
  greatest = { bytes: 0, label: '' }
  /** Of buffers that the host sees (mapped at creation, or mappable): the most at a time. */
  peakMapped = 0
  /** Bytes given to writeBuffer that the device may not have taken yet: the most there were. */
  peakWritten = 0
  #mapped = 0
  #written = 0
  #writtenSinceMap = 0

  /** Enters a buffer; the returned function strikes it out, once. */
  created({ size, usage, mappedAtCreation, label = '' }: GPUBufferDescriptor): () => void {
    const mapped = mappedAtCreation || (usage & MAPPABLE) !== 0 ? size : 0
    this.bytes += size
    this.peak = Math.max(this.peak, this.bytes)
    this.#mapped += mapped
    this.peakMapped = Math.max(this.peakMapped, this.#mapped)
    if (size > this.greatest.bytes) this.greatest = { bytes: size, label }
    let alive = true
    return () => {
      if (!alive) return
      alive = false
      this.bytes -= size
      this.#mapped -= mapped
    }
  }

  wrote(bytes: number): void {
    this.#written += bytes
    this.#writtenSinceMap += bytes
    this.peakWritten = Math.max(this.peakWritten, this.#written)
  }

  /** All that was submitted has run. */
  settled(): void {
    this.#written = 0
    this.#writtenSinceMap = 0
  }

  /**
   * A buffer was mapped, so what was submitted before its copy has run. The host may have submitted a step more meanwhile, and
   * no more than that: what was written since the last mapping may still be on its way.
   */
  mapped(): void {
    this.#written = this.#writtenSinceMap
    this.#writtenSinceMap = 0
  }
}
