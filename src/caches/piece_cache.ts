import type { BlockStack, Execution } from '../runtime/execution.ts'
import { add, changeSums, combine, place } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { type Agreement, relativeChange } from './agreement.ts'
import type { CacheRule } from './rule.ts'

/** What enters the blocks that may be spared, the first of them, and what the decision looks at on ranks with the first block. */
interface Start {
  readonly entering: readonly Tensor[]
  readonly first: number
  readonly look?: Tensor
  /** What of it was made here. */
  readonly made: readonly Tensor[]
}

/**
 * What a rank keeps of a piece of a picture from step to step: what the decision looks at, and what its blocks added to the
 * image. Each stage adds its own part where a pass is spared, so that nothing but the decision travels besides what does
 * anyway.
 */
export class PieceCache {
  readonly #rule: CacheRule
  readonly #agree: Agreement
  /** What the decision compares with. */
  #before: Tensor | undefined
  /** What the blocks that may be spared added. */
  #added: Tensor | undefined
  /** Whether all blocks have run once. */
  #filled = false

  constructor(rule: CacheRule, agree: Agreement) {
    this.#rule = rule
    this.#agree = agree
  }

  /** @returns what leaves the blocks of this rank, and whether they were spared */
  async through(
    g: Recorder,
    step: number,
    blocks: Execution['blocks'],
    entering: readonly Tensor[],
    stack: BlockStack,
  ): Promise<{ leaving: readonly Tensor[]; spared: boolean }> {
    const start = await this.#start(g, blocks, entering, stack)
    const spared = await this.#spared(g, step, start.look)
    if (start.look) {
      if (!spared || this.#rule.comparesWith === 'the last') {
        this.#before = kept(g, this.#before, start.look, 'what a cache looks at')
      }
      g.release(start.look)
    }
    if (spared) return { leaving: this.#instead(g, start.entering), spared }
    this.#rule.computed()
    const leaving = await this.#run(g, blocks.end, start, stack)
    this.#filled = true
    return { leaving, spared }
  }

  async #start(
    g: Recorder,
    { first, head }: Execution['blocks'],
    entering: readonly Tensor[],
    stack: BlockStack,
  ): Promise<Start> {
    if (!head) return { entering, first, made: [] }
    if (this.#rule.looksAt === 'what the first block is given') {
      return { entering, first, look: await stack.firstInput(entering[0]), made: [] }
    }
    const after = await stack.run(first, first + 1, entering)
    const look = difference(g, after[0], entering[0])
    g.release(entering[0])
    return { entering: after, first: first + 1, look, made: after }
  }

  async #spared(g: Recorder, step: number, look: Tensor | undefined): Promise<boolean> {
    // All that a pass may do is compiled in a rehearsal, which decides nothing.
    if (!g.rehearsing && (!this.#filled || this.#rule.always(step))) return false
    const sums = look && changeSums(g, look, this.#before ?? look)
    const spared = await this.#agree(g, sums, (rows) => this.#rule.spares(relativeChange(rows)))
    g.release(sums)
    return spared && !g.rehearsing
  }

  async #run(
    g: Recorder,
    end: number,
    { entering, first, made }: Start,
    stack: BlockStack,
  ): Promise<readonly Tensor[]> {
    if (first >= end) return entering
    // The device has waited for the decision: it is given something to do while the rest is recorded.
    const middle = await stack.run(first, first + 1, entering)
    await g.flush()
    const leaving = await stack.run(first + 1, end, middle)
    const added = difference(g, leaving[0], entering[0])
    this.#added = kept(g, this.#added, added, 'what blocks added')
    if (g.rehearsing) for (const tensor of this.#instead(g, entering.slice(0, 1))) g.release(tensor)
    const own = [...made, ...middle.filter((tensor) => !entering.includes(tensor))]
    for (const tensor of [added, ...own]) if (!leaving.includes(tensor)) g.release(tensor)
    return leaving
  }

  /** What leaves the blocks where they are spared. */
  #instead(g: Recorder, [image, ...rest]: readonly Tensor[]): readonly Tensor[] {
    return this.#added ? [add(g, image, this.#added), ...rest] : [image, ...rest]
  }

  drop(g: Recorder): void {
    for (const tensor of [this.#before, this.#added]) if (tensor) g.drop(tensor)
    this.#before = this.#added = undefined
    this.#filled = false
  }
}

const difference = (g: Recorder, a: Tensor, b: Tensor): Tensor =>
  combine(g, [
    [a, 1],
    [b, -1],
  ])

/** A copy of x that outlives the step, in the place of the one before. */
function kept(g: Recorder, before: Tensor | undefined, x: Tensor, label: string): Tensor {
  const tensor = before ?? g.keep(x.shape, x.dtype, label)
  place(g, tensor, 0, 0, x)
  return tensor
}
