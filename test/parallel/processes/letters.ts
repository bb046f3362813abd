/** Messages that all ranks know of beforehand, from a seed. */
import type { DType } from '../../../src/runtime/tensor.ts'

export interface Spec {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly seed: number
}

export interface Letter {
  readonly from: number
  readonly to: number
  readonly tag: string
  readonly tensors: readonly Spec[]
}

/** Odd ones, none at all, and more than fits into a socket at once. */
const LENGTHS = [0, 1, 3, 21, 255, 1001, 16_385, 300_007]

/** mulberry32: 32 bits at a time. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}

/** Letters between all ranks, in the order in which each rank sends its own. Without tensors they are signals. */
export function lettersOf(seed: number, size: number): Letter[] {
  const next = generator(seed)
  const pick = <T>(of: readonly T[]): T => of[next() % of.length]
  return Array.from({ length: 24 * size }, () => {
    const from = next() % size
    const tensors = Array.from({ length: next() % 4 }, () => ({
      dtype: pick<DType>(['f32', 'f16', 'u32']),
      shape: [pick(LENGTHS)],
      seed: next(),
    }))
    return { from, to: (from + 1 + (next() % (size - 1))) % size, tag: pick(['kv', 'patch', 'ring.μ']), tensors }
  })
}

/** The order in which a rank asks for what is sent to it: another one than theirs, but for letters of one rank and tag. */
export function ordered(letters: readonly Letter[]): Letter[] {
  const boxes = new Map<string, Letter[]>()
  for (const letter of letters) {
    const name = `${letter.tag} ${letter.from}`
    boxes.set(name, [...(boxes.get(name) ?? []), letter])
  }
  const names = [...boxes.keys()].sort().reverse()
  return names.flatMap((name) => boxes.get(name)!)
}

const ARRAYS = { f32: Float32Array, f16: Uint16Array, u32: Uint32Array }

/** Random bits, so that there are NaNs among them. */
export function bitsOf({
  dtype,
  shape,
  seed,
}: Spec): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  const next = generator(seed)
  const data = new ARRAYS[dtype](shape[0])
  const words = new Uint8Array(data.buffer)
  for (let i = 0; i < words.length; i++) words[i] = next()
  return data
}
