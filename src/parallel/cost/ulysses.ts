import type { Part } from './part.ts'
import { sitesOf } from './work.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * Before attention, each other member gets q, k and v of this rank's tokens for its heads; after it, what this rank's
 * heads give for the other's tokens. With N even shares of p tokens of hidden width hs, for each attention:
 * 3 · (N − 1) / N² · p · hs and (N − 1) / N² · p · hs. Everybody has q, k and v of the text; what a rank's heads give for it
 * goes along.
 */
export function ulyssesBytes(part: Part, { headDim, textTokens = 0, elementBytes: { operand } }: Workload): Bytes {
  const { mesh, config, batch, work, ulyssesHeads, at, passes } = part
  const members = mesh.degree('ulysses')
  if (config.distrifusion || members === 1) return {}
  const own = mesh.at('ulysses')
  const first = at - own
  const bytes = { 'ulysses.qkv': 0, 'ulysses.out': 0 }
  for (const { tokens, times } of passes) {
    const others = Array.from({ length: members }, (_, k) => k).filter((k) => k !== own)
    const message = (count: number, heads: number) => bytesOf(batch * count * heads * headDim, operand)
    const qkv = others.map((k) => 3 * message(tokens[at], ulyssesHeads[k]))
    const out = others.map((k) => message(tokens[first + k], ulyssesHeads[own]))
    const texts = others.length * message(textTokens, ulyssesHeads[own])
    bytes['ulysses.qkv'] += sitesOf(work) * times * total(qkv)
    bytes['ulysses.out'] += times * (sitesOf(work) * total(out) + work.attentions.joint * texts)
  }
  return bytes
}
