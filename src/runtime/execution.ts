import { type AttentionInputs, attention, join, narrow } from './ops/index.ts'
import type { Recorder } from './recorder.ts'
import type { Tensor } from './tensor.ts'

/** Image tokens [first, end) of a picture, counted row by row. */
export interface TokenRange {
  readonly first: number
  readonly end: number
}

/** Which attention of the network: unique within it, the same on every rank. Stale keys and values are kept by it. */
export type AttentionSite = string

export interface AttendInputs extends AttentionInputs {
  /** Joint attention (MMDiT): the text's q, k, v; each rank holds its part of them or all of them. */
  readonly text?: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor }
  /** Text enters the sequence before the image (FLUX) or after it (SD3). */
  readonly textFirst?: boolean
}

/**
 * How a forward pass is carried out: the one seam between models and parallelism. A transformer asks its surroundings
 * for what can differ between one device and many, and for nothing else. `onOneDevice` answers below; src/parallel
 * answers over a mesh.
 */
export interface Execution {
  /** The blocks this rank runs; whether it embeds (head) and projects out (tail). */
  readonly blocks: { readonly first: number; readonly end: number; readonly head: boolean; readonly tail: boolean }
  /** The image tokens that this rank holds in this pass. */
  readonly tokens: TokenRange
  /**
   * Joint attention: the text that enters a block. Patches of a picture may share what entered it with the first of them;
   * later ones are given none then.
   */
  enter(g: Recorder, block: string, text: Tensor | undefined): Tensor
  /** Attention of this rank's image (and text) queries over the WHOLE sequence. */
  attend(g: Recorder, site: AttentionSite, inputs: AttendInputs): Promise<{ image: Tensor; text?: Tensor }>
  /** Sum over the tensor-parallel group, the same on every rank of it. */
  reduce(g: Recorder, x: Tensor): Promise<Tensor>
  /** What one rank alone adds to a sum that `reduce` makes, such as a residual: x there, nothing on the others. */
  once<T>(x: T): T | undefined
  /** Spares passes some of their blocks; without it all are run. */
  readonly cache?: StepCache
}

/** A network's blocks, one after the other, as `throughBlocks` goes through them. */
export interface BlockStack {
  /**
   * Runs the blocks [first, end) on what enters the first of them, and gives what leaves the last: hidden states of the
   * image [batch, tokens, width], then whatever else goes from block to block. What enters stays the caller's.
   *
   * @param spent the image's hidden states are not used again: their bytes go back as soon as they can
   */
  run(first: number, end: number, entering: readonly Tensor[], spent?: boolean): Promise<readonly Tensor[]>
  /** What the first block's attention is given of the image that enters it: normed and modulated, [batch, tokens, width], f32. */
  firstInput(image: Tensor): Promise<Tensor>
}

/** Keeps what blocks added to the image in one step, so that others may do without running them: see src/caches. */
export interface StepCache {
  /** What leaves the last block of this rank, or is taken for it: then only the image's hidden states are worth something. */
  through(
    g: Recorder,
    blocks: Execution['blocks'],
    entering: readonly Tensor[],
    stack: BlockStack,
  ): Promise<readonly Tensor[]>
}

/** Goes through the blocks of this rank: what leaves the last one. */
export const throughBlocks = (
  g: Recorder,
  { blocks, cache }: Execution,
  entering: readonly Tensor[],
  stack: BlockStack,
): Promise<readonly Tensor[]> =>
  cache ? cache.through(g, blocks, entering, stack) : stack.run(blocks.first, blocks.end, entering, true)

/** One device: all blocks, all tokens, nothing to wait for. */
export function onOneDevice(blocks: number, tokens: number): Execution {
  return {
    blocks: { first: 0, end: blocks, head: true, tail: true },
    tokens: { first: 0, end: tokens },
    enter: (_g, _block, text) => text!,
    attend: async (g, _site, { text, textFirst = false, ...image }) =>
      text ? attendJointly(g, image, text, textFirst) : { image: attention(g, image) },
    reduce: async (_g, x) => x,
    once: (x) => x,
  }
}

/** Attention over text and image as one sequence, cut apart again. */
function attendJointly(
  g: Recorder,
  image: AttentionInputs,
  text: NonNullable<AttendInputs['text']>,
  textFirst: boolean,
): Promise<{ image: Tensor; text: Tensor }> {
  return g.scope(() => {
    const [q, k, v] = (['q', 'k', 'v'] as const).map((part) =>
      join(g, textFirst ? [text[part], image[part]] : [image[part], text[part]], 1),
    )
    const out = attention(g, { ...image, q, k, v })
    const [texts, images] = [text.q.dim(1), image.q.dim(1)]
    const part = (first: number, tokens: number) => narrow(g, out, 1, first, first + tokens)
    return { image: part(textFirst ? texts : 0, images), text: part(textFirst ? 0 : images, texts) }
  })
}
