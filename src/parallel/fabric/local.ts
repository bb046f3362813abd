import { Arena } from '../../runtime/arena.ts'
import type { Device } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import type { Placement } from '../../runtime/tensor.ts'
import { Tensor } from '../../runtime/tensor.ts'
import type { Part, Transport } from './transport.ts'
import { whole } from './transport.ts'

/**
 * Transports between ranks that share one device (`Device.sibling`) and one thread: bytes are copied on the device, in
 * the order of its queue. For tests, and for one card that stands for several.
 */
export function localTransports(devices: readonly Device[]): Transport[] {
  const hub = new Hub(devices[0])
  return devices.map((device, rank) => new LocalTransport(hub, device, rank, devices.length))
}

interface Letter {
  readonly placement: Placement | undefined
  readonly bytes: number
}

/** Letters that nobody has asked for yet, and those who asked before there was one. */
interface Box {
  readonly letters: Letter[]
  readonly readers: ((letter: Letter) => void)[]
}

class Hub {
  /** Letters on their way. */
  readonly arena: Arena
  readonly failed: Promise<never>
  fail: (error: unknown) => void = () => {}
  readonly #boxes = new Map<string, Box>()

  constructor(device: Device) {
    this.arena = new Arena(device.gpu)
    this.failed = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failed.catch(() => {})
  }

  box(from: number, to: number, tag: string): Box {
    const name = `${from}>${to}:${tag}`
    let box = this.#boxes.get(name)
    if (!box) this.#boxes.set(name, (box = { letters: [], readers: [] }))
    return box
  }
}

class LocalTransport implements Transport {
  readonly rank: number
  readonly size: number
  readonly #hub: Hub
  readonly #device: Device

  constructor(hub: Hub, device: Device, rank: number, size: number) {
    this.#hub = hub
    this.#device = device
    this.rank = rank
    this.size = size
  }

  get failed(): Promise<never> {
    return this.#hub.failed
  }

  fail(error: unknown): void {
    this.#hub.fail(error)
  }

  async send(to: number, tag: string, parts: readonly Part[]): Promise<void> {
    const bytes = total(parts)
    let letter: Letter = { placement: undefined, bytes }
    if (bytes > 0) {
      // The pool gives the buffer of a letter that was read already: queues run in order.
      const placement = this.#hub.arena.take(bytes, tag)
      letter = { placement, bytes }
      const parcel = new Tensor([bytes / 4], 'u32', tag)
      parcel.placement = placement
      await this.#copy(parts, [whole(parcel)])
    }
    const { readers, letters } = this.#hub.box(this.rank, to, tag)
    const reader = readers.shift()
    if (reader) reader(letter)
    else letters.push(letter)
  }

  async recv(from: number, tag: string, parts: readonly Part[]): Promise<void> {
    const { readers, letters } = this.#hub.box(from, this.rank, tag)
    const letter = letters.shift() ?? (await new Promise<Letter>((resolve) => readers.push(resolve)))
    const bytes = total(parts)
    if (letter.bytes !== bytes) {
      throw new DitError(
        'validation',
        `rank ${this.rank} expects ${bytes} bytes of '${tag}' from rank ${from}, and ${letter.bytes} came`,
      )
    }
    if (!letter.placement) return
    const parcel = new Tensor([bytes / 4], 'u32', tag)
    parcel.placement = letter.placement
    await this.#copy([whole(parcel)], parts)
    this.#hub.arena.give(letter.placement)
  }

  lastHeard(): number {
    return performance.now()
  }

  async close(): Promise<void> {
    this.#hub.arena.trim()
  }

  /** Copies the joined bytes of some parts into others, one of the two lists being a single part. */
  async #copy(from: readonly Part[], to: readonly Part[]): Promise<void> {
    await this.#device.checked(() => {
      const { gpu } = this.#device
      const encoder = gpu.createCommandEncoder()
      const [source, target] = [cursor(from), cursor(to)]
      for (const { bytes } of from.length > 1 ? from : to) {
        const [a, b] = [source(bytes), target(bytes)]
        encoder.copyBufferToBuffer(a.buffer, a.offset, b.buffer, b.offset, bytes)
      }
      gpu.queue.submit([encoder.finish()])
    })
  }
}

const total = (parts: readonly Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0)

/** Gives out the parts piece by piece; a piece never spans two of them. */
function cursor(parts: readonly Part[]): (bytes: number) => { buffer: GPUBuffer; offset: number } {
  let [at, used] = [0, 0]
  return (bytes) => {
    const { tensor, offset, bytes: room } = parts[at]
    const place = { buffer: tensor.placement!.buffer, offset: offset + used }
    used += bytes
    if (used >= room) [at, used] = [at + 1, 0]
    return place
  }
}
