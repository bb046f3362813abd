import type { Device } from '../device.ts'

/** The most that WebGPU allows in one query set (§ 20.1 of the specification). */
const SET_SIZE = 4096
const BYTES = 8

/** A timestamp before and one after each pass of one submit. Lives as long as the submit. */
export class Timestamps {
  readonly #device: Device
  readonly #count: number
  readonly #sets: GPUQuerySet[] = []
  readonly #resolved: GPUBuffer
  /** When the submit was ready, on the host's clock: none of its passes began before. */
  submittedAt = 0

  constructor(device: Device, passes: number) {
    this.#device = device
    this.#count = 2 * passes
    for (let at = 0; at < this.#count; at += SET_SIZE) {
      this.#sets.push(device.gpu.createQuerySet({ type: 'timestamp', count: Math.min(SET_SIZE, this.#count - at) }))
    }
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC
    this.#resolved = device.gpu.createBuffer({ size: this.#count * BYTES, usage, label: 'timestamps' })
  }

  /** How to begin pass `index`. */
  pass(index: number): GPUComputePassDescriptor {
    const at = (2 * index) % SET_SIZE
    const querySet = this.#sets[Math.floor((2 * index) / SET_SIZE)]
    return { timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } }
  }

  /** Behind the last pass, right before the submit. */
  resolve(encoder: GPUCommandEncoder): void {
    this.#sets.forEach((set, i) => {
      encoder.resolveQuerySet(set, 0, set.count, this.#resolved, i * SET_SIZE * BYTES)
    })
    this.submittedAt = performance.now()
  }

  /** Start and end of each pass, ns on the device's clock. Waits until the submit has run. */
  async read(): Promise<BigUint64Array> {
    return new BigUint64Array(await this.#device.download(this.#resolved, this.#count * BYTES))
  }

  destroy(): void {
    for (const set of this.#sets) set.destroy()
    this.#resolved.destroy()
  }
}
