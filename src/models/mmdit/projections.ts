import { linear, qkNorm, type Rotary } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'

/** What weights of diffusers' Attention are called for the image, or for text and image alike. */
export const TO = { q: 'to_q', k: 'to_k', v: 'to_v', normQ: 'norm_q', normK: 'norm_k' } as const

/** And for the text beside an image. */
export const ADDED = {
  q: 'add_q_proj',
  k: 'add_k_proj',
  v: 'add_v_proj',
  normQ: 'norm_added_q',
  normK: 'norm_added_k',
} as const

export interface ProjectionOptions {
  /** RMS norm of queries and keys. */
  readonly qkNorm: boolean
  /** Turns them; token 0 of x has row `first`. */
  readonly rotary?: Rotary & { readonly first: number }
}

/** Queries, keys and values of x [batch, tokens, width]: [batch, tokens, width of this rank's heads] each. */
export function projections(
  g: Recorder,
  w: Weights,
  x: Tensor,
  names: typeof TO | typeof ADDED,
  { qkNorm: normed, rotary }: ProjectionOptions,
): { q: Tensor; k: Tensor; v: Tensor } {
  const v = linear(g, x, w.affine(names.v), { as: 'operand' })
  // What is normed next keeps f32 until then.
  const [q, k] = [names.q, names.k].map((name) => linear(g, x, w.affine(name), { as: normed ? 'stream' : 'operand' }))
  if (!normed) return { q, k, v }
  const norm = (part: Tensor, name: string) =>
    qkNorm(g, part, { eps: 1e-6, weight: w.tensor(`${name}.weight`), rotary, as: 'operand' })
  return { q: norm(q, names.normQ), k: norm(k, names.normK), v }
}
