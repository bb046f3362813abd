import type { JointBlockShape } from '../../../models/mmdit/parameters.ts'
import type { Block } from '../../../parallel/cost/work.ts'

/** FLOP of a token in a linear layer from `input` values to `output`: a multiplication and an addition are two. */
export const layerFlops = (input: number, output: number): number => 2 * input * output

/** A block of MMDiT on tokens so wide: text and image have weights of their own, of the same shapes, and attend jointly. */
export function jointWork(
  width: number,
  { dual, contextPreOnly }: Pick<JointBlockShape, 'dual' | 'contextPreOnly'>,
): Block {
  const square = layerFlops(width, width)
  const again = dual ? 1 : 0
  return {
    attentions: { image: again, joint: 1 },
    // Of what attention gives, and of the feed-forward.
    sums: { image: 2 + again, text: contextPreOnly ? 0 : 2 },
    // q, k, v and out, again for dual attention; the feed-forward is four times as wide. The last text has q, k and v alone.
    flops: { image: (4 + 4 * again + 8) * square, text: (contextPreOnly ? 3 : 4 + 8) * square },
  }
}
