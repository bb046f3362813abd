import { createBuffer, megabytes } from './allocation.ts'
import { DitError } from './errors.ts'
import type { Placement } from './tensor.ts'

export { megabytes }

const ALIGN = 256 // bytes; also keeps bindings a multiple of 4
const STORAGE_USAGE = 0x80 | 0x4 | 0x8 // STORAGE | COPY_SRC | COPY_DST, spelled out: no WebGPU globals at import

/** Rounds up to one of four steps between powers of two, so that near sizes share buffers. */
function sizeClass(bytes: number): number {
  const padded = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN)
  const step = Math.max(ALIGN, 2 ** Math.floor(Math.log2(padded)) / 4)
  return Math.ceil(padded / step) * step
}

/** Bytes of the buffers that a phase had in use, of all together and of the greatest: the most they ever were. */
export interface PhaseMemory {
  readonly used: number
  readonly greatest: number
}

/**
 * Buffers for activations, reused by liveness. The recorder takes a buffer for a tensor at its first use and gives
 * it back after the last, so a forward pass that repeats allocates nothing. GPU queues run in order, which makes
 * reuse inside one submit safe.
 */
export class Arena {
  readonly #device: GPUDevice
  readonly #free: Placement[] = []
  /** Created, and the device has not told yet whether it could. */
  readonly #pending = new Map<Placement, Promise<boolean>>()
  /** Those that it could not: of no use to anybody, wherever they still turn up. */
  readonly #dead = new WeakSet<Placement>()
  /**
   * Free for what one recorder submits later, which still has to submit dispatches that use them: until then nobody
   * else may write or destroy them.
   */
  readonly #unsubmitted = new Map<Placement, object>()
  /** How many were created before it. */
  readonly #ages = new WeakMap<Placement, number>()
  #created = 0
  /** Bytes of all buffers the arena holds, used or free. */
  reserved = 0
  /** The most that `reserved` ever was. */
  peak = 0
  /** The most that activations and weights ever were together. */
  peakWithWeights = 0
  #weights = 0
  /** The most bytes it may hold, from --memory; Infinity where nobody said. */
  budget = Number.POSITIVE_INFINITY
  /** What each phase of the runs so far needed at most, in the order in which they last began. */
  readonly phases = new Map<string, PhaseMemory>()
  #phase = ''
  #used = 0

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** @param by the recorder whose next dispatches use it; without one it may be written at once */
  take(bytes: number, label: string, by?: object): Placement {
    const wanted = sizeClass(bytes)
    let best = -1
    for (let i = 0; i < this.#free.length; i++) {
      const user = this.#unsubmitted.get(this.#free[i])
      if (user && user !== by) continue
      const size = this.#free[i].bytes
      if (size < wanted || size > wanted * 2) continue
      // The eldest of a size, so that a pass that repeats gets the same ones for the same tensors (see BindGroups).
      if (best < 0 || this.#before(this.#free[i], this.#free[best])) best = i
    }
    if (best >= 0) {
      const [placement] = this.#free.splice(best, 1)
      this.#note(placement.bytes)
      return placement
    }
    const limit = this.checkSize(bytes, label)
    const size = Math.min(wanted, Math.floor(limit / 4) * 4)
    if (this.reserved + size > this.budget) this.trim()
    if (this.reserved + size > this.budget) {
      throw new DitError(
        'out-of-memory',
        `activations need more than the ${megabytes(this.budget)} that --memory leaves for them`,
        'use a smaller height, width or batch, or state more with --memory',
      )
    }
    const { buffer, failed } = createBuffer(this.#device, { size, usage: STORAGE_USAGE, label: 'arena' })
    const placement = { buffer, bytes: size }
    this.#ages.set(placement, this.#created++)
    this.#pending.set(placement, failed)
    this.reserved += size
    this.#note(size)
    return placement
  }

  #before(a: Placement, b: Placement): boolean {
    return a.bytes !== b.bytes ? a.bytes < b.bytes : this.#ages.get(a)! < this.#ages.get(b)!
  }

  /** Whether the device has not told yet if it could create the buffer: false for one that it did create. */
  failed(placement: Placement): Promise<boolean> | false {
    return this.#pending.get(placement) ?? false
  }

  /** Waits for what was created lately, and gives up what the device could not hold. Returns the bytes of that. */
  async settle(): Promise<number> {
    let lost = 0
    for (const [placement, failed] of [...this.#pending]) {
      if (await failed) {
        lost += placement.bytes
        this.#giveUp(placement)
      }
      this.#pending.delete(placement)
    }
    return lost
  }

  #giveUp(placement: Placement): void {
    if (this.#dead.has(placement)) return
    this.#dead.add(placement)
    placement.buffer.destroy()
    this.reserved -= placement.bytes
    const at = this.#free.indexOf(placement)
    if (at >= 0) this.#free.splice(at, 1)
    else this.#used -= placement.bytes
  }

  /** The most bytes that one buffer can have. @throws DitError 'out-of-memory' where `bytes` are more */
  checkSize(bytes: number, label: string): number {
    const limit = Math.min(this.#device.limits.maxBufferSize, this.#device.limits.maxStorageBufferBindingSize)
    if (bytes <= limit) return limit
    throw new DitError(
      'out-of-memory',
      `${label || 'a tensor'} needs a buffer of ${megabytes(bytes)}, this device allows ${megabytes(limit)}`,
      'use a smaller height, width or batch',
    )
  }

  /** Told of the bytes that weights take beside it. */
  set weights(bytes: number) {
    this.#weights = bytes
    this.peakWithWeights = Math.max(this.peakWithWeights, this.reserved + bytes)
  }

  /** From here on, what is taken counts for this phase. */
  enter(phase: string): void {
    const before = this.phases.get(phase) ?? { used: 0, greatest: 0 }
    this.phases.delete(phase)
    this.phases.set(phase, before)
    this.#phase = phase
    this.#note(0)
  }

  #note(taken: number): void {
    this.#used += taken
    this.peak = Math.max(this.peak, this.reserved)
    this.peakWithWeights = Math.max(this.peakWithWeights, this.reserved + this.#weights)
    const { used = 0, greatest = 0 } = this.phases.get(this.#phase) ?? {}
    this.phases.set(this.#phase, { used: Math.max(used, this.#used), greatest: Math.max(greatest, taken) })
  }

  /** @param by the recorder that has not submitted yet what uses it */
  give(placement: Placement, by?: object): void {
    if (this.#dead.has(placement)) return
    if (by) this.#unsubmitted.set(placement, by)
    this.#used -= placement.bytes
    this.#free.push(placement)
  }

  /** All dispatches of the recorder that use what it gave are submitted, or will never be. */
  submitted(by: object): void {
    for (const [placement, user] of this.#unsubmitted) if (user === by) this.#unsubmitted.delete(placement)
  }

  /** Destroys what is free: between phases whose sizes differ (text encoder, transformer, autoencoder). */
  trim(): void {
    const kept = this.#free.filter((placement) => this.#unsubmitted.has(placement))
    for (const placement of this.#free) {
      if (this.#unsubmitted.has(placement)) continue
      placement.buffer.destroy()
      this.reserved -= placement.bytes
    }
    this.#free.splice(0, this.#free.length, ...kept)
  }
}
