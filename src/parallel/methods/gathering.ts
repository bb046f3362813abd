import type { Gathering } from '../../runtime/weights/share.ts'
import type { Ranks } from '../crew/ranks.ts'
import { whole } from '../fabric/transport.ts'
import type { Group } from '../mesh/mesh.ts'
import { noted } from '../trace/timeline.ts'

/**
 * Weight sharding: each rank of a group sends its share of a block's weights to all others, (N − 1) times its bytes, while
 * the block before is computed.
 */
export const gatheringOf = (ranks: Ranks, { ranks: members, index }: Group, tag: string): Gathering => ({
  index,
  size: members.length,
  gather: async (g, own, block, shares) => {
    const fabric = ranks.fabric! // another one after a failure
    const others = members.map((rank, k) => ({ rank, ...shares[k] })).filter(({ rank }) => rank !== fabric.rank)
    const arrivals = others
      .filter(({ first, end }) => end > first)
      .map(({ rank, first, end }) =>
        fabric.recvParts(g, rank, tag, [{ tensor: block, offset: first, bytes: end - first }]),
      )
    const sent = own ? others.map(({ rank }) => fabric.sendParts(g, rank, tag, () => [whole(own)])) : []
    await Promise.all([...arrivals, ...sent])
  },
  waiting: (gathered) => noted(ranks.timeline, 'wait', tag, () => gathered),
})
