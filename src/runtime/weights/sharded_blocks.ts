import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import type { Recorder } from '../recorder.ts'
import type { Share } from '../shares.ts'
import { type Placement, Tensor } from '../tensor.ts'
import { type BlockLayout, byteShares, slotBytes, slotOf } from './block_layout.ts'
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
export class ShardedBlocks {
  readonly #device: Device
  readonly #gathering: Gathering
  readonly #blocks: ShardedBlock[] = []
  readonly #buffers: Placement[] = []
  /** On its way to be whole. */
  #next: { readonly at: number; readonly gathered: Promise<void> } | undefined

  constructor(device: Device, gathering: Gathering) {
    this.#device = device
    this.#gathering = gathering
  }

  /** Makes room for the shares, and for as many whole blocks as are needed at a time. @throws DitError 'out-of-memory' */
  async allocate(layouts: readonly BlockLayout[]): Promise<readonly ShardedBlock[]> {
    const { index, size } = this.#gathering
    const slots: Placement[] = []
    for (const bytes of slotBytes(layouts)) slots.push(await this.#buffer(bytes, 'the weights of a block'))
    for (const [at, layout] of layouts.entries()) {
      const shares = byteShares(layout.bytes, size)
      const bytes = shares[index].end - shares[index].first
      const own = bytes > 0 ? placed(bytes, await this.#buffer(bytes, `a share of ${layout.prefix}`)) : undefined
      const slot = slots[slotOf(at)]
      for (const { tensor, offset } of layout.weights) tensor.placement = { ...slot, offset }
      const tensors = new Map(layout.weights.map(({ name, tensor }) => [name, tensor]))
      this.#blocks.push({ layout, shares, own, whole: placed(layout.bytes, slot), tensors })
    }
    return this.#blocks
  }

  /** Runs `body` with all weights of the block whose keys begin so. Blocks are asked for in their order. */
  async using<T>(g: Recorder, prefix: string, body: (tensors: ReadonlyMap<string, Tensor>) => Promise<T>): Promise<T> {
    const at = this.#blocks.findIndex(({ layout }) => layout.prefix.startsWith(prefix))
    if (at < 0) throw new DitError('validation', `${prefix} is no block whose weights are shared`)
    if (g.rehearsing) return body(this.#blocks[at].tensors)
    try {
      await this.#gathering.waiting(this.#next?.at === at ? this.#next.gathered : this.#gather(g, at))
      this.#next = undefined
      if (at + 1 < this.#blocks.length) {
        const gathered = this.#gather(g, at + 1)
        gathered.catch(() => {}) // heard when it is awaited
        this.#next = { at: at + 1, gathered }
      }
      return await body(this.#blocks[at].tensors)
    } catch (error) {
      this.#next = undefined
      throw error
    }
  }

  async #gather(g: Recorder, at: number): Promise<void> {
    const { own, whole, shares } = this.#blocks[at]
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
    for (const placement of this.#buffers.splice(0)) freeWeightBuffer(this.#device, placement)
  }

  async #buffer(bytes: number, label: string): Promise<Placement> {
    const placement = await weightBuffer(this.#device, bytes, label)
    this.#buffers.push(placement)
    return placement
  }
}

function placed(bytes: number, placement: Placement): Tensor {
  const tensor = new Tensor([bytes / 4], 'u32', 'weights')
  tensor.persistent = true
  tensor.placement = placement
  return tensor
}
