import type { KernelTarget } from '../kernel.ts'
import { blockLayouts, byteShares, slotBytes } from './block_layout.ts'
import type { Parameters } from './parameters.ts'
import { needed, slicedTensor, sliceOf, type WeightShare } from './share.ts'

/** Bytes that `loadWeights` takes on a device for a share of these parameters. */
export function shareBytes({ all }: Parameters, share: WeightShare, target: KernelTarget): number {
  const { gathering } = share
  const wanted = [...all].filter(([, parameter]) => needed(parameter, share))
  let bytes = 0
  for (const [name, parameter] of wanted) {
    if (gathering && typeof parameter.at === 'number') continue
    bytes += slicedTensor(name, parameter, sliceOf(parameter, share), target).bytes
  }
  if (!gathering) return bytes
  const layouts = blockLayouts(wanted, share, target)
  for (const layout of layouts) {
    const { first, end } = byteShares(layout.bytes, gathering.size)[gathering.index]
    bytes += end - first
  }
  return slotBytes(layouts).reduce((sum, slot) => sum + slot, bytes)
}
