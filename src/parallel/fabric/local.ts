import { Arena, megabytes } from '../../runtime/arena.ts'
import type { Device } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import type { Placement } from '../../runtime/tensor.ts'
import type { Part, Transport } from './transport.ts'

/**
 * Transports between ranks that share one device (`Device.sibling`) and one thread: bytes are copied on the device, in
 * the order of its queue. For tests, and for one card that stands for several.
 */
export function localTransports(devices: readonly Device[]): Transport[] {
  const hub = new Hub(devices[0], devices.length)
  return devices.map((device, rank) => new LocalTransport(hub, device, rank, devices.length))
}

/** Bytes on their way: in a buffer of their own, until they are read. */
interface Letter {
  readonly placement: Placement | undefined
  readonly bytes: number
}

/** Letters that nobody has asked for yet, or those who asked before there was one. */
interface Box {
  readonly letters: Promise<Letter>[]
  readonly readers: ((letter: Promise<Letter>) => void)[]
}

/** What the ranks share: the letters, in the order in which they were sent, and the first error. */
class Hub {
  readonly arena: Arena
  readonly failed: Promise<never>
  fail: (error: unknown) => void = () => {}
  readonly #boxes = new Map<string, Box>()
  #open: number

  constructor(device: Device, ranks: number) {
    this.arena = new Arena(device.gpu)
    this.#open = ranks
    this.failed = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failed.catch(() => {})
  }

  put(name: string, letter: Promise<Letter>): void {
    const box = this.#box(name)
    const reader = box.readers.shift()
    if (reader) reader(letter)
    else box.letters.push(letter)
    this.#tidy(name, box)
  }

  take(name: string): Promise<Letter> {
    const box = this.#box(name)
    const letter = box.letters.shift()
    const taken = letter ?? new Promise<Letter>((resolve) => box.readers.push(resolve))
    this.#tidy(name, box)
    return taken
  }

  /** One rank has ended; the last one takes with it what nobody read. */
  async leave(): Promise<void> {
    if (--this.#open > 0) return
    for (const { letters } of this.#boxes.values()) {
      for (const letter of await Promise.allSettled(letters)) {
        if (letter.status === 'fulfilled' && letter.value.placement) this.arena.give(letter.value.placement)
      }
    }
    this.#boxes.clear()
    this.arena.trim()
  }

  #box(name: string): Box {
    let box = this.#boxes.get(name)
    if (!box) this.#boxes.set(name, (box = { letters: [], readers: [] }))
    return box
  }

  #tidy(name: string, { letters, readers }: Box): void {
    if (letters.length + readers.length === 0) this.#boxes.delete(name)
  }
}

class LocalTransport implements Transport {
  readonly rank: number
  readonly size: number
  readonly #hub: Hub
  readonly #device: Device
  #closed = false

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
    const letter = this.#write(tag, parts)
    this.#hub.put(nameOf(this.rank, to, tag), letter)
    await letter
  }

  async recv(from: number, tag: string, parts: readonly Part[]): Promise<void> {
    const letter = await this.#hub.take(nameOf(from, this.rank, tag))
    try {
      const bytes = total(parts)
      if (letter.bytes !== bytes) {
        throw new DitError(
          'validation',
          `rank ${this.rank} expects ${bytes} bytes of '${tag}' from rank ${from}, and ${letter.bytes} came`,
        )
      }
      if (letter.placement) await this.#copy(parts, letter.placement, 'to parts')
    } finally {
      // Whoever gets the buffer next writes it after this read: the queue runs in order.
      if (letter.placement) this.#hub.arena.give(letter.placement)
    }
  }

  lastHeard(): number {
    return performance.now()
  }

  async close(): Promise<void> {
    if (!this.#closed) await this.#hub.leave()
    this.#closed = true
  }

  async #write(tag: string, parts: readonly Part[]): Promise<Letter> {
    const bytes = total(parts)
    if (bytes === 0) return { placement: undefined, bytes }
    const { arena } = this.#hub
    const placement = arena.take(bytes, tag)
    if ((await arena.settle()) > 0) {
      throw new DitError('out-of-memory', `the device could not hold ${megabytes(bytes)} of '${tag}' on its way`)
    }
    await this.#copy(parts, placement, 'from parts')
    return { placement, bytes }
  }

  /** Between the parts, one after the other, and the letter. */
  async #copy(parts: readonly Part[], { buffer }: Placement, direction: 'from parts' | 'to parts'): Promise<void> {
    await this.#device.checked(() => {
      const { gpu } = this.#device
      const encoder = gpu.createCommandEncoder()
      let at = 0
      for (const { tensor, offset, bytes } of parts) {
        if (bytes === 0) continue
        const own = tensor.placement?.buffer
        if (!own) throw new DitError('validation', `a message ends in a tensor that was released: ${tensor.label}`)
        if (direction === 'from parts') encoder.copyBufferToBuffer(own, offset, buffer, at, bytes)
        else encoder.copyBufferToBuffer(buffer, at, own, offset, bytes)
        at += bytes
      }
      gpu.queue.submit([encoder.finish()])
    })
  }
}

const total = (parts: readonly Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0)

const nameOf = (from: number, to: number, tag: string): string => `${from}>${to}:${tag}`
