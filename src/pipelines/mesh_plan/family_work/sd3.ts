import type { SD3Config } from '../../../models/sd3/config.ts'
import { blockShape } from '../../../models/sd3/parameters.ts'
import type { NetworkWork } from '../../../parallel/cost/work.ts'
import { jointWork } from './joint_block.ts'

/** SD3Transformer2DModel. */
export const sd3Work = (c: SD3Config, textTokens: number): NetworkWork => ({
  blocks: Array.from({ length: c.layers }, (_, i) => jointWork(c.width, blockShape(c, i))),
  textTokens,
  outputs: c.patch ** 2 * c.outChannels,
})
