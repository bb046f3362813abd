import type { FluxConfig } from '../../../models/flux/config.ts'
import type { Block, NetworkWork } from '../../../parallel/cost/work.ts'
import { jointWork, layerFlops } from './joint_block.ts'

/** FluxTransformer2DModel: double blocks, then single ones. */
export function fluxWork({ layers, singleLayers, width, outChannels }: FluxConfig, textTokens: number): NetworkWork {
  const double = jointWork(width, { dual: false, contextPreOnly: false })
  const singles = Array.from({ length: singleLayers }, (_, i) => singleWork(width, i + 1 === singleLayers))
  return { blocks: [...Array<Block>(layers).fill(double), ...singles], textTokens, outputs: outChannels }
}

/** Attention and feed-forward side by side, with one projection out of both; behind the last nobody wants the text. */
function singleWork(width: number, last: boolean): Block {
  const square = layerFlops(width, width)
  const whole = (3 + 4 + 5) * square
  return {
    attentions: { image: 0, joint: 1 },
    sums: { image: 1, text: last ? 0 : 1 },
    flops: { image: whole, text: last ? 3 * square : whole },
  }
}
