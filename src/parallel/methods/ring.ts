import { type AttentionInputs, attention, attentionWithLse, mergeAttention } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allGather } from '../fabric/collectives.ts'
import type { Fabric } from '../fabric/fabric.ts'
import type { Group } from '../mesh/mesh.ts'
import type { JointText } from './joint.ts'

/**
 * Attention of this rank's queries over the keys of all ranks of a ring: keys and values travel from rank to rank while
 * those at hand are attended to, and the partial results are merged by their log-sum-exp (Ring Attention, Liu et al. 2023).
 *
 * @param inputs q, k and v of this rank, [batch, tokens, heads · dim]; `joint` may have asked, too
 * @param tokens keys of each member
 * @param joint text that all members have: it is attended to beside this member's own keys, and goes nowhere
 */
export async function ringAttention(
  g: Recorder,
  fabric: Fabric | undefined,
  { ranks, index }: Group,
  inputs: AttentionInputs,
  tokens: readonly number[],
  joint?: JointText,
): Promise<Tensor> {
  const size = ranks.length
  const ownKeys = joint
    ? { k: joint.with(g, inputs.k, joint.k), v: joint.with(g, inputs.v, joint.v) }
    : { k: inputs.k, v: inputs.v }
  if (!fabric || size === 1) return attention(g, { ...inputs, ...ownKeys })
  const { q } = inputs
  let { k, v } = inputs
  let merged: { out: Tensor; lse: Tensor } | undefined
  for (let step = 0; step < size; step++) {
    const last = step === size - 1
    // What comes next was this member's to begin with.
    const owner = (index - step - 1 + size) % size
    const spec = { shape: [k.dim(0), tokens[owner], k.dim(-1)], dtype: k.dtype }
    const sending = last ? undefined : fabric.send(g, ranks[(index + 1) % size], 'ring.kv', k, v)
    const arriving = last ? undefined : fabric.recv(g, ranks[(index - 1 + size) % size], 'ring.kv', [spec, spec])
    const part = attentionWithLse(g, { ...inputs, q, ...(step === 0 ? ownKeys : { k, v }) })
    merged = merged ? mergeAttention(g, merged, part, { as: last ? 'operand' : 'stream' }) : part
    if (!arriving) break
    // The device attends while the next keys are on their way.
    await g.flush()
    await sending
    if (step > 0) for (const tensor of [k, v]) g.release(tensor)
    ;[k, v] = await arriving
  }
  return merged!.out
}

/** The K/V of all members of a ring, in their order: what is kept for later steps must be whole on each rank. */
export async function gatherRing(
  g: Recorder,
  fabric: Fabric | undefined,
  group: Group,
  [k, v]: readonly [Tensor, Tensor],
  tokens: readonly number[],
): Promise<[k: Tensor, v: Tensor][]> {
  if (!fabric || group.ranks.length === 1) return [[k, v]]
  const specs = tokens.map((count) => {
    const spec = { shape: [k.dim(0), count, k.dim(-1)], dtype: k.dtype }
    return [spec, spec]
  })
  return (await allGather(g, fabric, group, 'ring.gather', [k, v], specs)) as [Tensor, Tensor][]
}
