import { DitError } from '../../../runtime/errors.ts'
import type { Arrival, Inbox } from './wire.ts'

/** Somebody who waits for a message; tickets of one sender and tag are served in order. */
export interface Ticket {
  /** Gives the memory for the message; settles when it is in there. */
  fill(target: Uint8Array): Promise<void>
  /** When the message began to come in: performance.now(), once it is there. */
  readonly began: number
}

/** Messages that nobody has asked for yet, and those who asked before there was one. */
interface Box {
  readonly messages: Message[]
  readonly tickets: OpenTicket[]
}

/** Matches messages with those who wait for them, so that no tag ever holds up another. */
export class Mailbox implements Inbox {
  readonly #rank: number
  readonly #boxes = new Map<string, Box>()
  readonly #fail: (error: unknown) => void

  constructor(rank: number, fail: (error: unknown) => void) {
    this.#rank = rank
    this.#fail = fail
  }

  /** Takes a place in the queue for a message of so many bytes. */
  ask(from: number, tag: string, bytes: number): Ticket {
    const box = this.#box(from, tag)
    const ticket = new OpenTicket(bytes, (got) => this.#mismatch(from, tag, bytes, got))
    const message = box.messages.shift()
    if (message) ticket.match(message)
    else box.tickets.push(ticket)
    return ticket
  }

  begin(from: number, tag: string, bytes: number): Arrival {
    const box = this.#box(from, tag)
    const ticket = box.tickets.shift()
    // Straight to where it is wanted, if that is known by now.
    const message = new Message(ticket?.memoryFor(bytes) ?? new Uint8Array(bytes))
    if (ticket) ticket.match(message)
    else box.messages.push(message)
    return { target: message.bytes, done: () => message.finish() }
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

  #mismatch(from: number, tag: string, expected: number, got: number): DitError {
    const error = new DitError(
      'validation',
      `rank ${this.#rank} expects ${expected} bytes of '${tag}' from rank ${from}, and ${got} came`,
      'this is a fault of webdit: please report it',
    )
    this.#fail(error)
    return error
  }
}

/** A message as it comes in. */
class Message {
  readonly bytes: Uint8Array
  readonly complete: Promise<void>
  readonly began = performance.now()
  finish: () => void = () => {}

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.complete = new Promise((resolve) => {
      this.finish = resolve
    })
  }
}

class OpenTicket implements Ticket {
  readonly #bytes: number
  readonly #mismatch: (got: number) => DitError
  readonly #message: Promise<Message>
  #target: Uint8Array | undefined
  began = 0
  match: (message: Message) => void = () => {}

  constructor(bytes: number, mismatch: (got: number) => DitError) {
    this.#bytes = bytes
    this.#mismatch = mismatch
    this.#message = new Promise((resolve) => {
      this.match = resolve
    })
  }

  memoryFor(bytes: number): Uint8Array | undefined {
    return bytes === this.#bytes ? this.#target : undefined
  }

  async fill(target: Uint8Array): Promise<void> {
    this.#target = target
    const message = await this.#message
    if (message.bytes.length !== this.#bytes) throw this.#mismatch(message.bytes.length)
    this.began = message.began
    await message.complete
    if (message.bytes !== target) target.set(message.bytes)
  }
}
