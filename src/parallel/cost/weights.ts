import { crewGroup, sharingGroup } from '../crew/ranks.ts'
import type { Group } from '../mesh/mesh.ts'
import { lengthOf, type Part } from './part.ts'
import { type Bytes, total, type Workload } from './workload.ts'

/** Ranks keep whole such units of a block, in bytes. */
const UNIT = 256

/**
 * Before a block runs, each member of the group that shares its weights sends its part to all others. With N even parts of
 * S bytes: (N − 1) / N · S for each block and pass, whatever the picture.
 */
export function weightBytes(part: Part, { weights, text, passesOfText = 0 }: Workload): Bytes {
  const { config, dealt, stage, passes } = part
  if (lengthOf(dealt) === 0) return {}
  const bytes: Record<string, number> = {}
  if (config.shardDit && weights) {
    const own = weights(part).slice(stage.first, stage.end)
    const times = passesOfText + total(passes.map((pass) => pass.times))
    bytes.weights = times * total(own.map((size) => sentOf(size, sharingGroup(part))))
  }
  if (config.shardT5Encoder && text?.blocks) {
    bytes['text.weights'] = total(text.blocks.map((size) => sentOf(size, crewGroup(part))))
  }
  return bytes
}

function sentOf(size: number, { ranks, index }: Group): number {
  const share = Math.ceil(size / UNIT / ranks.length) * UNIT
  return (ranks.length - 1) * Math.max(0, Math.min(share, size - index * share))
}
