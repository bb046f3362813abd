import { join } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Share } from '../../runtime/shares.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Fabric } from '../fabric/fabric.ts'
import type { Group } from '../mesh/mesh.ts'

/**
 * Puts the rows of all ranks together on one of them.
 *
 * @param root which member of the group gets them
 * @param shares rows of each member; those of empty ones send nothing
 * @param rows [pictures, channels, rows, width], where this rank has any
 * @param shape of the whole
 * @returns the whole on the root, nothing on the others
 */
export async function gatherRows(
  g: Recorder,
  fabric: Fabric,
  { ranks, index }: Group,
  root: number,
  shares: readonly Share[],
  rows: Tensor | undefined,
  shape: readonly number[],
): Promise<Tensor | undefined> {
  if (index !== root) {
    if (rows) await fabric.send(g, ranks[root], 'vae.rows', rows)
    return undefined
  }
  return g.scope(async () => {
    const parts = shares.map(async ({ first, end }, k) => {
      if (k === index || first === end) return rows && k === index ? [rows] : []
      return fabric.recv(g, ranks[k], 'vae.rows', [{ shape: shape.with(2, end - first), dtype: 'f32' }])
    })
    return join(g, (await Promise.all(parts)).flat(), 2)
  })
}
