import type { PixArtConfig } from '../../../models/pixart/config.ts'
import type { Block, NetworkWork } from '../../../parallel/cost/work.ts'
import { layerFlops } from './joint_block.ts'

/** PixArtTransformer2DModel: the text is read by cross-attention, whose keys are made once for all steps. */
export function pixartWork({ layers, width, patch, outChannels }: PixArtConfig): NetworkWork {
  const block: Block = {
    attentions: { image: 1, joint: 0 },
    sums: { image: 3, text: 0 },
    // Self-attention 4, queries and output of cross-attention 2, feed-forward 8.
    flops: { image: 14 * layerFlops(width, width), text: 0 },
  }
  return { blocks: Array<Block>(layers).fill(block), passesOfText: 1, outputs: patch ** 2 * outChannels }
}
