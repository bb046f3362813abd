import { DitError } from '../../runtime/errors.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { shapeText, type Tensor } from '../../runtime/tensor.ts'
import { noted, type Timeline } from '../trace/timeline.ts'
import { Ending } from './ending.ts'
import { type Part, type TensorSpec, type Transport, whole } from './transport.ts'
import { type Silence, watched } from './watchdog.ts'

/**
 * What a rank does with tensors of other ranks: messages by tag; `collectives.ts` builds on it. In a rehearsal nothing is
 * sent, counted or waited for. Once a rank has failed, everything here rejects with its error.
 */
export class Fabric {
  readonly rank: number
  readonly size: number
  /** Bytes sent so far, by tag. */
  readonly sent = new Map<string, number>()
  /** Told of what this rank waits for; messages that are asked for ahead tell by themselves. */
  timeline: Timeline | undefined
  readonly #transport: Transport
  readonly #silence: Silence
  readonly #ending: Ending

  constructor(transport: Transport, silence: Silence = {}) {
    this.#transport = transport
    this.rank = transport.rank
    this.size = transport.size
    this.#silence = silence
    this.#ending = new Ending(transport)
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
    const { rehearsing } = g
    await g.flush()
    if (rehearsing) return
    await this.#watched(() => this.#post(to, tag, parts()), to, tag, true)
  }

  #post(to: number, tag: string, message: Part[]): Promise<void> {
    for (const { tensor, bytes } of message) {
      if (bytes === 0 || tensor.placement) continue
      const what = `${tensor.label} ${shapeText(tensor.shape)}`.trim()
      throw new DitError(
        'validation',
        `'${tag}' for rank ${to} holds nothing: nobody wrote ${what}, or it was released`,
      )
    }
    this.sent.set(tag, (this.sent.get(tag) ?? 0) + message.reduce((sum, part) => sum + part.bytes, 0))
    return this.#transport.send(to, tag, message)
  }

  /** The tensors of a message; they belong to the scope in which this is called, and hold their values when it settles. */
  recv(g: Recorder, from: number, tag: string, specs: readonly TensorSpec[]): Promise<Tensor[]> {
    const tensors = specs.map(({ shape, dtype }) => g.allocate(shape, dtype, tag))
    const arrival = () => this.recvParts(g, from, tag, tensors.map(whole))
    return heard(
      noted(g.rehearsing ? undefined : this.timeline, 'wait', tag, arrival, { peer: from }).then(() => tensors),
    )
  }

  /** Fills parts of tensors that have their place already. */
  recvParts(g: Recorder, from: number, tag: string, parts: readonly Part[]): Promise<void> {
    return heard(this.#recv(g, from, tag, parts))
  }

  async #recv(g: Recorder, from: number, tag: string, parts: readonly Part[]): Promise<void> {
    if (g.rehearsing) return
    await this.#watched(() => this.#transport.recv(from, tag, parts), from, tag, false)
  }

  /** Waits until every rank of the group has come here, and all that they had recorded is submitted. */
  async barrier(g: Recorder, ranks: readonly number[], tag = 'barrier'): Promise<void> {
    const others = ranks.filter((rank) => rank !== this.rank)
    const arrivals = others.map((rank) => this.recvParts(g, rank, tag, []))
    await Promise.all([...others.map((rank) => this.sendParts(g, rank, tag, () => [])), ...arrivals])
  }

  /** Ends the work of all ranks, which get this error. */
  fail(error: unknown): void {
    this.#transport.fail(error)
  }

  /** Waits for what is on its way from here, and ends. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  #watched(work: () => Promise<void>, from: number, tag: string, taking: boolean): Promise<void> {
    return watched(this.#ending.until(work), this.#transport, { rank: this.rank, from, tag, taking }, this.#silence)
  }
}

/** A promise whose failure is not reported as nobody's: the caller hears of it when it waits, or of another one first. */
function heard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}
