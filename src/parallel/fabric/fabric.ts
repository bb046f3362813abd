import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { type Part, type TensorSpec, type Transport, whole } from './transport.ts'
import { type Silence, watched } from './watchdog.ts'

/** What a rank does with tensors of other ranks: messages by tag; `collectives.ts` builds on it. */
export class Fabric {
  readonly rank: number
  readonly size: number
  /** Bytes sent so far, by tag. */
  readonly sent = new Map<string, number>()
  readonly #transport: Transport
  readonly #silence: Silence

  constructor(transport: Transport, silence: Silence = {}) {
    this.#transport = transport
    this.rank = transport.rank
    this.size = transport.size
    this.#silence = silence
  }

  /** Sends tensors as one message; they may be written again, or released, once this has settled. */
  send(g: Recorder, to: number, tag: string, ...tensors: Tensor[]): Promise<void> {
    return this.sendParts(g, to, tag, () => tensors.map(whole))
  }

  /** @param parts asked for when all that is recorded has been submitted, and so has its place */
  sendParts(g: Recorder, to: number, tag: string, parts: () => Part[]): Promise<void> {
    return heard(this.#send(g, to, tag, parts))
  }

  async #send(g: Recorder, to: number, tag: string, parts: () => Part[]): Promise<void> {
    await g.flush()
    if (g.rehearsing) return
    const message = parts()
    const bytes = message.reduce((sum, part) => sum + part.bytes, 0)
    this.sent.set(tag, (this.sent.get(tag) ?? 0) + bytes)
    await this.#untilFailed(this.#transport.send(to, tag, message))
  }

  /** The tensors of a message; they belong to the scope in which this is called, and hold their values when it settles. */
  recv(g: Recorder, from: number, tag: string, specs: readonly TensorSpec[]): Promise<Tensor[]> {
    const tensors = specs.map(({ shape, dtype }) => g.allocate(shape, dtype, tag))
    return heard(this.recvParts(g, from, tag, tensors.map(whole)).then(() => tensors))
  }

  /** Fills parts of tensors that have their place already. */
  recvParts(g: Recorder, from: number, tag: string, parts: readonly Part[]): Promise<void> {
    return heard(this.#recv(g, from, tag, parts))
  }

  async #recv(g: Recorder, from: number, tag: string, parts: readonly Part[]): Promise<void> {
    if (g.rehearsing) return
    const arrival = this.#untilFailed(this.#transport.recv(from, tag, parts))
    await watched(arrival, this.#transport, { rank: this.rank, from, tag }, this.#silence)
  }

  /** Waits until every rank of the group has come here. */
  async barrier(g: Recorder, ranks: readonly number[], tag = 'barrier'): Promise<void> {
    const others = ranks.filter((rank) => rank !== this.rank)
    await Promise.all(others.map((rank) => this.sendParts(g, rank, tag, () => [])))
    await Promise.all(others.map((rank) => this.recvParts(g, rank, tag, [])))
  }

  /** Ends the work of all ranks, which get this error. */
  fail(error: unknown): void {
    this.#transport.fail(error)
  }

  #untilFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#transport.failed])
  }
}

/** A promise whose failure is not reported as nobody's: the caller hears of it when it waits, or of another one first. */
function heard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}
