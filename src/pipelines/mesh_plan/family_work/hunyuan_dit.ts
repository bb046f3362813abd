import type { HunyuanDiTConfig } from '../../../models/hunyuan_dit/config.ts'
import { takesSkip } from '../../../models/hunyuan_dit/skips.ts'
import type { Block, NetworkWork } from '../../../parallel/cost/work.ts'
import { layerFlops } from './joint_block.ts'

/**
 * HunyuanDiT2DModel: late blocks begin with the results of early ones; text is read by cross-attention.
 *
 * @param rescaled whether guided predictions are brought to the deviation of those with the prompt
 */
export function hunyuanDiTWork(c: HunyuanDiTConfig, rescaled: boolean): NetworkWork {
  // Self-attention 4, queries and output of cross-attention 2.
  const every = 6 * layerFlops(c.width, c.width) + 2 * layerFlops(c.width, c.neurons)
  const blocks = Array.from({ length: c.layers }, (_, i): Block => {
    const skipFrom = takesSkip(c.layers, i)
    const undivided = skipFrom === undefined ? 0 : layerFlops(2 * c.width, c.width)
    return {
      attentions: { image: 1, joint: 0 },
      sums: { image: 3, text: 0 },
      flops: { image: every + undivided, text: 0 },
      undivided,
      skipFrom,
    }
  })
  return { blocks, passesOfText: 1, outputs: c.patch ** 2 * c.outChannels, alsoPrompted: rescaled }
}
