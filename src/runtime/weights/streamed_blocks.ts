import { megabytes } from '../allocation.ts'
import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import { isOnPaper } from '../paper_device.ts'
import type { Recorder } from '../recorder.ts'
import type { Placement, Tensor } from '../tensor.ts'
import { type BlockLayout, slotBytes, slotOf } from './block_layout.ts'
import type { BlockWeights } from './block_weights.ts'
import { readBack } from './read_back.ts'
import { Staging } from './staging.ts'
import { freeWeightBuffer, weightBuffer } from './weight_buffer.ts'

/** A block whose weights are on the host, in the form that the device computes with. */
interface StreamedBlock {
  readonly layout: BlockLayout
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Undefined until they were read from the checkpoint, and when what is added to them has changed. */
  kept: Uint8Array | undefined
}

/** A block in a slot, or on its way there. */
interface Arrival {
  readonly at: number
  /** Its copy is submitted: what is submitted from then on computes with it. */
  readonly submitted: Promise<void>
}

/**
 * The blocks of a network that is too large for the device. They stay on the host, and the device has two at a time: while
 * one runs, the next is on its way into the slot of the one before. The queue keeps the order, so that a slot is written when
 * all that was recorded with it has run.
 */
export class StreamedBlocks implements BlockWeights {
  readonly #device: Device
  readonly blocks: readonly StreamedBlock[]
  #slots: Placement[] = []
  #staging: Staging | undefined
  /** By slots. */
  readonly #arrivals: (Arrival | undefined)[] = []
  /** Settles after all uploads so far, which come one after the other. */
  #uploads: Promise<void> = Promise.resolve()

  constructor(device: Device, layouts: readonly BlockLayout[]) {
    this.#device = device
    this.blocks = layouts.map((layout) => {
      const tensors = new Map(layout.weights.map(({ name, tensor }) => [name, tensor]))
      return { layout, tensors, kept: undefined }
    })
  }

  get bytes(): number {
    return this.#slotBytes.reduce((sum, bytes) => sum + bytes, 0)
  }

  get hostBytes(): number {
    return this.blocks.reduce((sum, { layout }) => sum + layout.bytes, 0)
  }

  get #slotBytes(): number[] {
    return slotBytes(this.blocks.map(({ layout }) => layout))
  }

  /** Makes room for the blocks that are on the device at a time. @throws DitError 'out-of-memory' */
  async allocate(): Promise<void> {
    const sizes = this.#slotBytes
    for (const bytes of sizes) this.#slots.push(await weightBuffer(this.#device, bytes, 'the weights of a block'))
    this.#staging = await Staging.open(this.#device, Math.max(0, ...sizes))
    for (const [at, { layout }] of this.blocks.entries()) {
      for (const { tensor, offset } of layout.weights) tensor.placement = { ...this.#slots[slotOf(at)], offset }
    }
  }

  /** Whether the weights of a block are yet to be read from the checkpoint. */
  lacks(at: number): boolean {
    return this.blocks[at].kept === undefined
  }

  /** Whether there is room for blocks on the device. */
  get allocated(): boolean {
    return this.#staging !== undefined
  }

  /** Gives the block its slot, to be filled with weights from the checkpoint. */
  async empty(at: number): Promise<void> {
    await this.#uploads
    this.#arrivals[slotOf(at)] = undefined
  }

  /** Takes the weights that were filled in from the device to the host. @throws DitError 'out-of-memory' of the host's */
  async keep(at: number): Promise<void> {
    const { layout } = this.blocks[at]
    const kept = hostMemory(isOnPaper(this.#device) ? 0 : layout.bytes, layout.prefix)
    if (kept.byteLength > 0) await readBack(this.#device, this.#slots[slotOf(at)].buffer, kept)
    this.blocks[at].kept = kept
    this.#arrivals[slotOf(at)] = { at, submitted: Promise.resolve() }
  }

  /** Gives up the blocks that have one of these weights: they are to be read anew. */
  forget(names: ReadonlySet<string>): void {
    for (const [at, block] of this.blocks.entries()) {
      if (!block.layout.weights.some(({ name }) => names.has(name))) continue
      block.kept = undefined
      if (this.#arrivals[slotOf(at)]?.at === at) this.#arrivals[slotOf(at)] = undefined
    }
  }

  async using<T>(g: Recorder, prefix: string, body: (tensors: ReadonlyMap<string, Tensor>) => Promise<T>): Promise<T> {
    const at = this.blocks.findIndex(({ layout }) => layout.prefix.startsWith(prefix))
    if (at < 0) throw new DitError('validation', `${prefix} is no block whose weights are on the host`)
    // What was recorded computes with a block whose slot the next one takes.
    await g.flush()
    if (!g.rehearsing) {
      await this.#bring(at)
      // Behind the last block comes the first, in the next pass.
      const next = (at + 1) % this.blocks.length
      if (slotOf(next) !== slotOf(at)) this.#bring(next).catch(() => {}) // heard when it is asked for
    }
    return body(this.blocks[at].tensors)
  }

  /** Has the block uploaded, unless it is there or on its way. */
  #bring(at: number): Promise<void> {
    const slot = slotOf(at)
    const there = this.#arrivals[slot]
    if (there?.at === at) return there.submitted
    const staging = this.#staging
    const submitted = this.#uploads.then(() => this.#upload(at, staging))
    const arrival = { at, submitted }
    this.#arrivals[slot] = arrival
    this.#uploads = submitted.catch(() => {
      if (this.#arrivals[slot] === arrival) this.#arrivals[slot] = undefined
    })
    return submitted
  }

  async #upload(at: number, staging: Staging | undefined): Promise<void> {
    const { layout, kept } = this.blocks[at]
    if (!kept || !staging) throw new DitError('validation', `the weights of ${layout.prefix} were not loaded`)
    if (!staging.closed) await staging.upload(kept, this.#slots[slotOf(at)].buffer)
  }

  free(): void {
    this.#staging?.close()
    this.#staging = undefined
    this.#arrivals.length = 0
    // Those that are under way end with the staging, which some runtimes tell late.
    this.#uploads = Promise.resolve()
    for (const { layout } of this.blocks) for (const { tensor } of layout.weights) tensor.placement = undefined
    for (const slot of this.#slots.splice(0)) freeWeightBuffer(this.#device, slot)
  }

  dispose(): void {
    this.free()
    for (const block of this.blocks) block.kept = undefined
  }
}

function hostMemory(bytes: number, prefix: string): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new DitError(
      'out-of-memory',
      `the host has no room for ${megabytes(bytes)} of the weights of ${prefix.slice(0, -1)}`,
      'use weights of fewer bits, a smaller model, or close what else needs memory',
      { cause },
    )
  }
}
