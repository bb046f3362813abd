import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import type { Recorder } from '../recorder.ts'
import type { Share } from '../shares.ts'
import { type Placement, Tensor } from '../tensor.ts'
import { type BlockLayout, byteShares, slotBytes, slotOf } from './block_layout.ts'
import type { BlockWeights } from './block_weights.ts'
import type { Gathering } from './share.ts'
import { freeWeightBuffer, weightBuffer } from './weight_buffer.ts'

/** A block of which this rank keeps a share. */
interface ShardedBlock {
  readonly layout: BlockLayout
  /** The bytes that each rank keeps. */
  readonly shares: readonly Share[]
  /** Those of this rank; none where there are more ranks than bytes. */
  readonly own: Tensor | undefined
  /** Where the block is whole while it runs. */
  readonly whole: Tensor
  readonly tensors: ReadonlyMap<string, Tensor>
}

/**
 * The blocks of a network whose weights several ranks keep a share of each. A block is gathered before it runs, while the
 * one before it is computed; where that is done, its place is taken by the one after next.
 */
export class ShardedBlocks implements BlockWeights {
  readonly #device: Device
  readonly #gathering: Gathering
  readonly blocks: readonly ShardedBlock[]
  readonly #buffers: Placement[] = []
  /** On its way to be whole. */
  #next: { readonly at: number; readonly gathered: Promise<void> } | undefined

  constructor(device: Device, gathering: Gathering, layouts: readonly BlockLayout[]) {
    this.#device = device
    this.#gathering = gathering
    const { index, size } = gathering
    this.blocks = layouts.map((layout) => {
      const shares = byteShares(layout.bytes, size)
      const bytes = shares[index].end - shares[index].first
      const tensors = new Map(layout.weights.map(({ name, tensor }) => [name, tensor]))
      return { layout, shares, own: bytes > 0 ? unplaced(bytes) : undefined, whole: unplaced(layout.bytes), tensors }
    })
  }

  /** Bytes of the shares, and of as many whole blocks as are needed at a time. */
  get bytes(): number {
    const slots = slotBytes(this.blocks.map(({ layout }) => layout))
    const kept = this.blocks.map(({ own }) => own?.bytes ?? 0)
    return [...slots, ...kept].reduce((sum, bytes) => sum + bytes, 0)
  }

  readonly hostBytes = 0

  /** Makes room for all of that. @throws DitError 'out-of-memory' */
  async allocate(): Promise<void> {
    const slots: Placement[] = []
    for (const bytes of slotBytes(this.blocks.map(({ layout }) => layout))) {
      slots.push(await this.#buffer(bytes, 'the weights of a block'))
    }
    for (const [at, { layout, own, whole }] of this.blocks.entries()) {
      if (own) own.placement = await this.#buffer(own.bytes, `a share of ${layout.prefix}`)
      const slot = slots[slotOf(at)]
      whole.placement = slot
      for (const { tensor, offset } of layout.weights) tensor.placement = { ...slot, offset }
    }
  }

  async using<T>(g: Recorder, prefix: string, body: (tensors: ReadonlyMap<string, Tensor>) => Promise<T>): Promise<T> {
    const at = this.blocks.findIndex(({ layout }) => layout.prefix.startsWith(prefix))
    if (at < 0) throw new DitError('validation', `${prefix} is no block whose weights are shared`)
    if (g.rehearsing) return body(this.blocks[at].tensors)
    try {
      await this.#gathering.waiting(this.#next?.at === at ? this.#next.gathered : this.#gather(g, at))
      this.#next = undefined
      if (at + 1 < this.blocks.length) {
        const gathered = this.#gather(g, at + 1)
        gathered.catch(() => {}) // heard when it is awaited
        this.#next = { at: at + 1, gathered }
      }
      return await body(this.blocks[at].tensors)
    } catch (error) {
      this.#next = undefined
      throw error
    }
  }

  async #gather(g: Recorder, at: number): Promise<void> {
    const { own, whole, shares } = this.blocks[at]
    // What was recorded may read the block that was there before.
    await g.flush()
    if (own) {
      const { first } = shares[this.#gathering.index]
      await this.#device.checked(() => {
        const encoder = this.#device.gpu.createCommandEncoder()
        encoder.copyBufferToBuffer(own.placement!.buffer, 0, whole.placement!.buffer, first, own.bytes)
        this.#device.gpu.queue.submit([encoder.finish()])
      })
    }
    await this.#gathering.gather(g, own, whole, shares)
  }

  free(): void {
    this.#next = undefined
    for (const { layout, own, whole } of this.blocks) {
      for (const tensor of [own, whole, ...layout.weights.map((weight) => weight.tensor)]) {
        if (tensor) tensor.placement = undefined
      }
    }
    for (const placement of this.#buffers.splice(0)) freeWeightBuffer(this.#device, placement)
  }

  dispose(): void {
    this.free()
  }

  async #buffer(bytes: number, label: string): Promise<Placement> {
    const placement = await weightBuffer(this.#device, bytes, label)
    this.#buffers.push(placement)
    return placement
  }
}

function unplaced(bytes: number): Tensor {
  const tensor = new Tensor([bytes / 4], 'u32', 'weights')
  tensor.persistent = true
  return tensor
}
