import type { Device } from '../../../runtime/device.ts'
import { noted, type Timeline } from '../../trace/timeline.ts'
import type { Part, Transport } from '../transport.ts'
import { Mailbox } from './mailbox.ts'
import { Staging } from './staging.ts'
import type { Wire } from './wire.ts'

/**
 * Ranks that have a device each: bytes go through mapped staging buffers on both sides, over some wire between them. All
 * of it happens beside what the devices compute; a message waits for nothing but the work that writes it.
 */
export class StagedTransport implements Transport {
  readonly rank: number
  readonly size: number
  readonly #device: Device
  readonly #wire: Wire
  readonly #staging: Staging
  readonly #mailbox: Mailbox
  /** The last message on its way to each rank. */
  readonly #leaving: Promise<void>[]
  /** Told of every message. */
  timeline: Timeline | undefined

  constructor(device: Device, wire: Wire, rank: number, size: number) {
    this.#device = device
    this.#wire = wire
    this.rank = rank
    this.size = size
    const fail = (error: unknown) => wire.fail(error)
    this.#staging = new Staging(device, fail)
    this.#mailbox = new Mailbox(rank, this.#staging, fail)
    this.#leaving = Array(size).fill(Promise.resolve())
    wire.open(this.#mailbox)
  }

  get failed(): Promise<never> {
    return this.#wire.failed
  }

  async send(to: number, tag: string, parts: readonly Part[]): Promise<void> {
    const bytes = total(parts)
    const staged = this.#stage(parts, bytes)
    const before = this.#leaving[to]
    const mapped = staged.then((buffer) => buffer && this.#device.settled(buffer.mapAsync(GPUMapMode.READ, 0, bytes)))
    const left = (async () => {
      await before
      const buffer = await staged
      await mapped
      const message = buffer ? new Uint8Array(buffer.getMappedRange(0, bytes)) : new Uint8Array()
      await noted(this.timeline, 'transfer', `${tag} to ${to}`, () => this.#wire.write(to, tag, message), {
        peer: to,
        bytes,
      })
      if (!buffer) return
      buffer.unmap()
      this.#staging.read(buffer)
    })()
    this.#leaving[to] = left.catch((error) => this.fail(error))
    mapped.catch(() => {}) // heard above
    await staged
  }

  async recv(from: number, tag: string, parts: readonly Part[]): Promise<void> {
    const bytes = total(parts)
    const { buffer, began } = await this.#mailbox.ask(from, tag, bytes)
    if (!buffer) return
    buffer.unmap()
    await this.#device.checked(() => {
      const encoder = this.#device.gpu.createCommandEncoder()
      let at = 0
      for (const part of parts) {
        if (part.bytes > 0) {
          encoder.copyBufferToBuffer(buffer, at, part.tensor.placement!.buffer, part.offset, part.bytes)
        }
        at += part.bytes
      }
      this.#device.gpu.queue.submit([encoder.finish()])
    })
    this.timeline?.add('transfer', `${tag} from ${from}`, performance.timeOrigin + began, { peer: from, bytes })
    void this.#staging.written(buffer)
  }

  lastHeard(rank: number): number {
    return this.#wire.lastHeard(rank)
  }

  fail(error: unknown): void {
    this.#wire.fail(error)
  }

  async close(): Promise<void> {
    // After a failure nobody takes what is on its way.
    await Promise.race([Promise.all(this.#leaving), this.failed.catch(() => {})])
    await this.#wire.close()
    this.#mailbox.close()
    this.#staging.close()
  }

  /** Copies the parts, joined, to a buffer that can be mapped. */
  async #stage(parts: readonly Part[], bytes: number): Promise<GPUBuffer | undefined> {
    if (bytes === 0) return undefined
    const buffer = await this.#staging.toRead(bytes)
    await this.#device.checked(() => {
      const encoder = this.#device.gpu.createCommandEncoder()
      let at = 0
      for (const part of parts) {
        if (part.bytes > 0) {
          encoder.copyBufferToBuffer(part.tensor.placement!.buffer, part.offset, buffer, at, part.bytes)
        }
        at += part.bytes
      }
      this.#device.gpu.queue.submit([encoder.finish()])
    })
    return buffer
  }
}

const total = (parts: readonly Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0)
