import { join } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allGather } from '../fabric/collectives.ts'
import type { Ranks } from './ranks.ts'

/**
 * One decision of all ranks of a crew. Those of the first stage gather what each of them has measured and decide on the same
 * numbers, so that they decide alike whatever their devices are; each stage tells the next.
 *
 * @param measured [rows, columns] on the first stage, nothing on the others
 * @param decide given the rows of all ranks of the first stage
 */
export async function agreed(
  g: Recorder,
  { mesh, fabric }: Ranks,
  measured: Tensor | undefined,
  decide: (rows: Float32Array) => boolean,
): Promise<boolean> {
  const [stage, stages] = [mesh.at('pipefusion'), mesh.degree('pipefusion')]
  const tag = 'cache.decision'
  if (stage > 0) {
    const [told] = await fabric!.recv(g, mesh.neighbour('pipefusion', stage - 1), tag, [DECISION])
    if (stage + 1 < stages) await fabric!.send(g, mesh.neighbour('pipefusion', stage + 1), tag, told)
    return g.rehearsing ? false : (await g.read(told))[0] === 1
  }
  const all = await gathered(g, { mesh, fabric }, measured!)
  const decision = g.rehearsing ? false : decide(await g.read(all))
  if (stages > 1) {
    const told = g.upload(new Float32Array([Number(decision)]), DECISION.shape, tag)
    await fabric!.send(g, mesh.neighbour('pipefusion', stage + 1), tag, told)
  }
  return decision
}

const DECISION = { shape: [1], dtype: 'f32' } as const

async function gathered(g: Recorder, { mesh, fabric }: Pick<Ranks, 'mesh' | 'fabric'>, own: Tensor): Promise<Tensor> {
  const group = mesh.group('tensor', 'ulysses', 'ring', 'cfg')
  if (!fabric || group.ranks.length === 1) return own
  const specs = group.ranks.map(() => [{ shape: own.shape, dtype: own.dtype }])
  const parts = await allGather(g, fabric, group, 'cache.change', [own], specs)
  return join(
    g,
    parts.map(([part]) => part),
    0,
  )
}
