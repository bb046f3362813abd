import type { Part } from './part.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * Before attention, each other member gets q, k and v of this rank's tokens for its heads; after it, what this rank's
 * heads give for the other's tokens. With N even shares of p tokens of hidden width hs, in each block:
 * 3 · (N − 1) / N² · p · hs and (N − 1) / N² · p · hs.
 */
export function ulyssesBytes(part: Part, { headDim, elementBytes: { operand } }: Workload): Bytes {
  const { mesh, config, batch, blocks, ulyssesHeads, at, passes } = part
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
    bytes['ulysses.qkv'] += blocks * times * total(qkv)
    bytes['ulysses.out'] += blocks * times * total(out)
  }
  return bytes
}
