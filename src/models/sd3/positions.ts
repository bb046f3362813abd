import type { TokenRange } from '../../runtime/execution.ts'
import { gather } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { reshapedWeight, type Tensor } from '../../runtime/tensor.ts'

/**
 * The middle of a stored position table (diffusers' PatchEmbed.cropped_pos_embed).
 *
 * @param table [1, side², width]
 * @param grid patches of the picture
 * @returns [tokens, width] of these tokens
 */
export function croppedPositions(
  g: Recorder,
  table: Tensor,
  side: number,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  { first, end }: TokenRange,
): Tensor {
  const [top, left] = [Math.floor((side - rows) / 2), Math.floor((side - columns) / 2)]
  const places = Uint32Array.from({ length: end - first }, (_, i) => {
    const token = first + i
    return (top + Math.floor(token / columns)) * side + left + (token % columns)
  })
  return gather(g, reshapedWeight(table, [side * side, table.dim(-1)]), g.upload(places, [end - first], 'places'))
}
