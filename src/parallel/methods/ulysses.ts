import { join, narrow } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { evenShares, type Share } from '../../runtime/shares.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { allToAll } from '../fabric/collectives.ts'
import type { Fabric } from '../fabric/fabric.ts'
import type { Group } from '../mesh/mesh.ts'
import type { Attended } from './joint.ts'

/** How tokens and heads lie on the ranks of a Ulysses group: before attention by tokens, in attention by heads. */
export interface UlyssesLayout {
  /** Tokens of each member. */
  readonly tokens: readonly number[]
  /** Heads of each member. */
  readonly heads: readonly Share[]
  /** Values of a head. */
  readonly dim: number
}

export const ulyssesLayout = (tokens: readonly number[], heads: number, dim: number): UlyssesLayout => ({
  tokens,
  heads: evenShares(heads, tokens.length, 'attention heads'),
  dim,
})

/**
 * [batch, own tokens, all heads · dim] → [batch, all tokens, own heads · dim], for each of the tensors (q, k, v), in one
 * message a member (DeepSpeed-Ulysses, Jacobs et al. 2023).
 */
export async function tokensToHeads(
  g: Recorder,
  fabric: Fabric | undefined,
  group: Group,
  { tokens, heads, dim }: UlyssesLayout,
  tensors: readonly Tensor[],
): Promise<Tensor[]> {
  if (!fabric || group.ranks.length === 1) return [...tensors]
  const outgoing = heads.map(({ first, end }) => tensors.map((x) => narrow(g, x, -1, first * dim, end * dim)))
  const width = (heads[group.index].end - heads[group.index].first) * dim
  const incoming = tokens.map((count) => tensors.map((x) => ({ shape: [x.dim(0), count, width], dtype: x.dtype })))
  const messages = await allToAll(g, fabric, group, 'ulysses.qkv', outgoing, incoming)
  return tensors.map((_, part) => {
    const pieces = messages.map((message) => message[part])
    const joined = join(g, pieces, 1)
    for (const piece of pieces) g.release(piece)
    return joined
  })
}

/**
 * [batch, all tokens, own heads · dim] → [batch, own tokens, all heads · dim]. Text that all members have goes along:
 * [batch, text tokens, own heads · dim] → all heads.
 */
export async function headsToTokens(
  g: Recorder,
  fabric: Fabric | undefined,
  group: Group,
  { tokens, heads, dim }: UlyssesLayout,
  { image, text }: Attended,
): Promise<Attended> {
  if (!fabric || group.ranks.length === 1) return { image, text }
  let first = 0
  const texts = text ? [text] : []
  const outgoing = tokens.map((count) => [narrow(g, image, 1, first, (first += count)), ...texts])
  const incoming = heads.map(({ first, end }) =>
    [tokens[group.index], ...texts.map((x) => x.dim(1))].map((count) => ({
      shape: [image.dim(0), count, (end - first) * dim],
      dtype: image.dtype,
    })),
  )
  const messages = await allToAll(g, fabric, group, 'ulysses.out', outgoing, incoming)
  const [joined, joinedText] = [0, 1].slice(0, 1 + texts.length).map((part) => {
    const pieces = messages.map((message) => message[part])
    const whole = join(g, pieces, -1)
    for (const piece of pieces) g.release(piece)
    return whole
  })
  return { image: joined, text: joinedText }
}
