import { DitError } from '../../../runtime/errors.ts'
import { type AttentionInputs, attentionWithLse } from '../../../runtime/ops/index.ts'
import type { Recorder } from '../../../runtime/recorder.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

interface HashedInput {
  readonly seed: number
  readonly shape: readonly [batch: number, heads: number, tokens: number, dim: number]
  readonly amp: number
  readonly first8: readonly number[]
}

/** runs.NAME.attention of an attention case. */
export interface AttentionCall {
  readonly inputs: Readonly<Record<'q' | 'k' | 'v', HashedInput>>
  readonly scale: number
  readonly mask: string
  /** Ring: where the chunks of keys begin and end. */
  readonly kv_chunk_bounds?: readonly number[]
}

export const attentionCall = (run: Run): AttentionCall => run.meta.attention as AttentionCall

/** The values that meta.json's formula gives. @throws DitError where they are not those that it lists */
function hashed({ seed, shape, amp, first8 }: HashedInput): Float32Array {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => {
    let x = Math.imul(i, 0x9e3779b1) + Math.imul(seed, 0x85ebca77)
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    x = (x ^ (x >>> 16)) >>> 0
    return ((x >>> 8) / 2 ** 23 - 1) * amp
  })
  if (first8.every((value, i) => value === values[i])) return values
  throw new DitError('corrupt', `the inputs of seed ${seed} begin with ${values[0]}, meta.json says ${first8[0]}`)
}

/** [batch, a, b, dim] → [batch, b, a · dim] for the entries [first, end) of b: tokens and heads change places. */
function exchange(x: Float32Array, shape: readonly number[], first = 0, end = shape[2]): Float32Array {
  const [batch, a, b, dim] = shape
  const y = new Float32Array(batch * (end - first) * a * dim)
  let at = 0
  for (let n = 0; n < batch; n++) {
    for (let j = first; j < end; j++) {
      for (let i = 0; i < a; i++) {
        const from = ((n * a + i) * b + j) * dim
        y.set(x.subarray(from, from + dim), at)
        at += dim
      }
    }
  }
  return y
}

/** Attention over the keys [first, end): out [batch, heads, queries, dim] and lse [batch, heads, queries]. */
export async function attendTo(run: Run, first: number, end: number): Promise<{ out: HostArray; lse: HostArray }> {
  const { inputs, scale, mask } = attentionCall(run)
  const [batch, heads, queries, dim] = inputs.q.shape
  const io = await run.io()
  const keyMask = io.has('input.key_mask') ? await io.tensor('input.key_mask') : undefined
  return run.compute(async (g) => {
    const upload = (input: HashedInput, from: number, to: number) =>
      g.upload(exchange(hashed(input), input.shape, from, to), [batch, to - from, heads * dim])
    const { out, lse } = attentionWithLse(g, {
      q: upload(inputs.q, 0, queries),
      k: upload(inputs.k, first, end),
      v: upload(inputs.v, first, end),
      heads,
      scale,
      ...masks(g, mask, queries, { keyMask, first, end }),
    })
    const values = exchange(await g.read(out), [batch, queries, heads, dim])
    return {
      out: { shape: [batch, heads, queries, dim], data: values },
      lse: { shape: lse.shape, data: await g.read(lse) },
    }
  })
}

interface Keys {
  readonly keyMask: HostArray | undefined
  readonly first: number
  readonly end: number
}

function masks(g: Recorder, mask: string, queries: number, keys: Keys): Pick<AttentionInputs, 'bias' | 'mask'> {
  if (mask === 'none') return {}
  if (mask.startsWith('causal')) return { bias: causal(g, queries, keys) }
  if (keys.keyMask) return { mask: additive(g, keys.keyMask, keys, mask.includes('-10000') ? -10_000 : -Infinity) }
  throw notBuilt(`attention with the mask "${mask}"`)
}

function causal(g: Recorder, queries: number, { first, end }: Keys) {
  const keys = end - first
  const visible = (i: number) => first + (i % keys) <= Math.floor(i / keys)
  const values = Float32Array.from({ length: queries * keys }, (_, i) => (visible(i) ? 0 : -Infinity))
  return g.upload(values, [1, queries, keys], 'causal')
}

function additive(g: Recorder, { shape, data }: HostArray, { first, end }: Keys, masked: number) {
  const [batch, all] = shape
  const keys = end - first
  const place = (i: number) => Math.floor(i / keys) * all + first + (i % keys)
  const values = Float32Array.from({ length: batch * keys }, (_, i) => (data[place(i)] ? 0 : masked))
  return g.upload(values, [batch, keys], 'key mask')
}
