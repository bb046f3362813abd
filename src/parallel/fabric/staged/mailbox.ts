import { DitError } from '../../../runtime/errors.ts'
import type { Staging } from './staging.ts'
import type { Arrival, Inbox } from './wire.ts'

/** A message in memory that its device can read. */
export interface Message {
  readonly bytes: number
  /** Mapped until somebody takes it; none for a signal. */
  readonly buffer: GPUBuffer | undefined
  /** When it began to come in: performance.now(), in ms. */
  readonly began: number
}

/** Somebody who waits for a message of so many bytes. */
interface Ticket {
  readonly bytes: number
  readonly take: (message: Message) => void
  readonly refuse: (error: unknown) => void
}

/** Messages that nobody has asked for yet, and those who asked before there was one. */
interface Box {
  readonly messages: Message[]
  readonly tickets: Ticket[]
}

/**
 * Matches messages with those who wait for them, so that no tag ever holds up another. A message goes to mapped memory at
 * once, whoever will want it, and is copied no more than that.
 */
export class Mailbox implements Inbox {
  readonly #rank: number
  readonly #staging: Staging
  readonly #boxes = new Map<string, Box>()
  readonly #fail: (error: unknown) => void

  constructor(rank: number, staging: Staging, fail: (error: unknown) => void) {
    this.#rank = rank
    this.#staging = staging
    this.#fail = fail
  }

  /** The next message of that sender and tag; those who ask are served in order. */
  ask(from: number, tag: string, bytes: number): Promise<Message> {
    return new Promise((take, refuse) => {
      const box = this.#box(from, tag)
      box.tickets.push({ bytes, take, refuse })
      this.#serve(from, tag, box)
    })
  }

  begin(from: number, tag: string, bytes: number): Arrival {
    const buffer = bytes > 0 ? this.#staging.toWrite(bytes) : undefined
    const message = { bytes, buffer, began: performance.now() }
    const target = buffer ? new Uint8Array(buffer.getMappedRange(0, bytes)) : new Uint8Array()
    const done = () => {
      // One sender's messages are over in the order in which they began.
      const box = this.#box(from, tag)
      box.messages.push(message)
      this.#serve(from, tag, box)
    }
    return { target, done }
  }

  /** Takes no more messages. */
  close(): void {
    for (const { messages } of this.#boxes.values()) for (const { buffer } of messages) buffer?.destroy()
    this.#boxes.clear()
  }

  #serve(from: number, tag: string, { messages, tickets }: Box): void {
    if (messages.length === 0 || tickets.length === 0) return
    const message = messages.shift()!
    const { bytes, take, refuse } = tickets.shift()!
    if (message.bytes === bytes) {
      take(message)
      return
    }
    message.buffer?.destroy()
    const error = new DitError(
      'validation',
      `rank ${this.#rank} expects ${bytes} bytes of '${tag}' from rank ${from}, and ${message.bytes} came`,
      'this is a fault of webdit: please report it',
    )
    this.#fail(error)
    refuse(error)
  }

  #box(from: number, tag: string): Box {
    const name = `${from}:${tag}`
    let box = this.#boxes.get(name)
    if (!box) {
      box = { messages: [], tickets: [] }
      this.#boxes.set(name, box)
    }
    return box
  }
}
