import { DitError } from '../../runtime/errors.ts'
import type { AttendInputs, AttentionSite, TokenRange } from '../../runtime/execution.ts'
import { attention } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allGather } from '../fabric/collectives.ts'
import type { Fabric } from '../fabric/fabric.ts'
import type { Group } from '../mesh/mesh.ts'
import { type Attended, JointText } from './joint.ts'
import type { KeptKeys } from './kept_keys.ts'
import { gatherRing, ringAttention } from './ring.ts'
import { headsToTokens, tokensToHeads, type UlyssesLayout, ulyssesLayout } from './ulysses.ts'

/** The ranks that share the tokens of a pass, and who holds which of them. */
export interface Sequence {
  readonly fabric: Fabric | undefined
  readonly ulysses: Group
  readonly ring: Group
  /** Both together: rank u + U · r holds tokens[u + U · r]. */
  readonly all: Group
  readonly tokens: readonly TokenRange[]
}

const lengthOf = ({ first, end }: TokenRange): number => end - first

/** USP: Ulysses inside, ring outside, over fresh keys (Fang and Zhao 2024). */
export async function attendFresh(g: Recorder, sequence: Sequence, inputs: AttendInputs): Promise<Attended> {
  const { fabric, ulysses, ring } = sequence
  const { layout, ranges } = layoutOf(sequence, inputs)
  const joint = jointOf(g, inputs, ulysses, layout)
  const [q, k, v] = await tokensToHeads(g, fabric, ulysses, layout, [inputs.q, inputs.k, inputs.v])
  const heads = q.dim(-1) / layout.dim
  const own = { q: joint?.queries(g, q) ?? q, k, v, heads, scale: inputs.scale }
  const out = await ringAttention(g, fabric, ring, own, ranges.map(lengthOf), joint)
  return headsToTokens(g, fabric, ulysses, layout, joint?.split(g, out) ?? { image: out })
}

/**
 * PipeFusion: this pass's keys are written over those of the step before, on every rank for all tokens of the pass, and
 * queries attend to the whole picture. Keys of text are those of this pass, and are not kept.
 */
export async function attendKept(
  g: Recorder,
  sequence: Sequence,
  kept: KeptKeys,
  site: AttentionSite,
  inputs: AttendInputs,
): Promise<Attended> {
  const { fabric, ulysses, ring } = sequence
  const { layout, ranges } = layoutOf(sequence, inputs)
  const joint = jointOf(g, inputs, ulysses, layout)
  const [q, k, v] = await tokensToHeads(g, fabric, ulysses, layout, [inputs.q, inputs.k, inputs.v])
  const parts = await gatherRing(g, fabric, ring, [k, v], ranges.map(lengthOf))
  for (const [r, part] of parts.entries()) kept.write(g, site, ranges[r], ...part)
  const out = attendAll(g, kept.read(g, site), { q, heads: q.dim(-1) / layout.dim, scale: inputs.scale }, joint)
  return headsToTokens(g, fabric, ulysses, layout, out)
}

/** A pass of DistriFusion. */
export interface DistriPass {
  /** Keys are exchanged before they are attended to: warm-up. */
  readonly fresh: boolean
  /** The others' keys of the step before are yet to be taken in. */
  readonly receives: boolean
  /** Another step will want this one's keys. */
  readonly sends: boolean
}

/** DistriFusion: own fresh keys, and those that the other ranks had in the step before (Li et al. 2024). */
export async function attendStale(
  g: Recorder,
  { fabric, all, tokens }: Sequence,
  kept: KeptKeys,
  site: AttentionSite,
  inputs: AttendInputs,
  { fresh, receives, sends }: DistriPass,
): Promise<Attended> {
  const { k, v } = inputs
  const joint = inputs.text && new JointText(g, inputs.text, inputs.textFirst ?? false)
  const specs = tokens.map((range) => {
    const spec = { shape: [k.dim(0), lengthOf(range), k.dim(-1)], dtype: k.dtype }
    return [spec, spec]
  })
  const tag = 'distri.kv'
  if (fabric && fresh) {
    const parts = await allGather(g, fabric, all, tag, [k, v], specs)
    for (const [n, [partK, partV]] of parts.entries()) kept.write(g, site, tokens[n], partK, partV)
  } else {
    if (fabric && receives) {
      for (const [n, rank] of all.ranks.entries()) {
        if (n === all.index) continue
        const [partK, partV] = await fabric.recv(g, rank, tag, specs[n])
        kept.write(g, site, tokens[n], partK, partV)
      }
    }
    // Before the first step is through there is nothing else to attend to.
    if (!fresh && !receives && !kept.has(site)) {
      if (fabric && sends) await sendToAll(g, fabric, all, tag, k, v)
      return attendAll(g, { k, v }, inputs, joint)
    }
    kept.write(g, site, tokens[all.index], k, v)
  }
  if (fabric && sends) await sendToAll(g, fabric, all, tag, k, v)
  return attendAll(g, kept.read(g, site), inputs, joint)
}

const sendToAll = (g: Recorder, fabric: Fabric, { ranks, index }: Group, tag: string, k: Tensor, v: Tensor) =>
  Promise.all(ranks.filter((_, n) => n !== index).map((rank) => fabric.send(g, rank, tag, k, v)))

/** Attention to these keys of the image, and to the text beside them. */
function attendAll(
  g: Recorder,
  { k, v }: { readonly k: Tensor; readonly v: Tensor },
  { q, heads, scale }: Pick<AttendInputs, 'q' | 'heads' | 'scale'>,
  joint: JointText | undefined,
): Attended {
  if (!joint) return { image: attention(g, { q, k, v, heads, scale }) }
  const keys = { k: joint.with(g, k, joint.k), v: joint.with(g, v, joint.v) }
  return joint.split(g, attention(g, { q: joint.queries(g, q), ...keys, heads, scale }))
}

/** The text with the heads that this rank has in attention. */
function jointOf(
  g: Recorder,
  { text, textFirst = false }: AttendInputs,
  { ranks, index }: Group,
  { heads, dim }: UlyssesLayout,
): JointText | undefined {
  return text && new JointText(g, text, textFirst, ranks.length > 1 ? { ...heads[index], dim } : undefined)
}

/** How this pass's tokens and heads are laid out, and the tokens that each member of the ring has after Ulysses. */
function layoutOf({ ulysses, ring, tokens }: Sequence, { q, heads, bias, mask }: AttendInputs) {
  if (bias || mask)
    throw new DitError('unsupported', 'attention with a mask is not divided over ranks', 'Use one device.')
  const size = ulysses.ranks.length
  const ranges = ring.ranks.map((_, r) => ({ first: tokens[r * size].first, end: tokens[r * size + size - 1].end }))
  const own = tokens.slice(ring.index * size, (ring.index + 1) * size).map(lengthOf)
  return { layout: ulyssesLayout(own, heads, q.dim(-1) / heads), ranges }
}
