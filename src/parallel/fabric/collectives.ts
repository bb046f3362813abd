import { combine, copyRows } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../../runtime/tensor.ts'
import type { Group } from '../mesh/mesh.ts'
import { evenShares, type Share } from '../mesh/shares.ts'
import type { Fabric } from './fabric.ts'
import type { Part, TensorSpec } from './transport.ts'

/**
 * Every rank of the group gives each other one a message, and gets one from each.
 *
 * @param outgoing tensors for each member, in the group's order
 * @param incoming what each member sends to this one
 * @returns what came from each member; from itself what it gave itself
 */
export async function allToAll(
  g: Recorder,
  fabric: Fabric,
  { ranks, index }: Group,
  tag: string,
  outgoing: readonly (readonly Tensor[])[],
  incoming: readonly (readonly TensorSpec[])[],
): Promise<Tensor[][]> {
  const arrivals = ranks.map((rank, k) =>
    k === index ? Promise.resolve([...outgoing[k]]) : fabric.recv(g, rank, tag, incoming[k]),
  )
  const sent = others(index, ranks.length).map((k) => fabric.send(g, ranks[k], tag, ...outgoing[k]))
  const [messages] = await Promise.all([Promise.all(arrivals), Promise.all(sent)])
  return messages
}

/** What each member of the group has, of the shapes that `specs` tell; its own is passed through. */
export async function allGather(
  g: Recorder,
  fabric: Fabric,
  group: Group,
  tag: string,
  own: readonly Tensor[],
  specs: readonly (readonly TensorSpec[])[],
): Promise<Tensor[][]> {
  return allToAll(g, fabric, group, tag, Array(group.ranks.length).fill(own), specs)
}

/** Sends the root's tensors to the others, which say what to expect. Everybody gets them. */
export async function broadcast(
  g: Recorder,
  fabric: Fabric,
  { ranks, index }: Group,
  root: number,
  tag: string,
  given: readonly Tensor[] | readonly TensorSpec[],
): Promise<Tensor[]> {
  if (index !== root) return fabric.recv(g, ranks[root], tag, given as readonly TensorSpec[])
  const tensors = [...(given as readonly Tensor[])]
  await Promise.all(others(index, ranks.length).map((k) => fabric.send(g, ranks[k], tag, ...tensors)))
  return tensors
}

/**
 * The sum of all members' x, bit for bit the same on each: every member adds up one slice, in the order of the ranks,
 * and gives it to the others. Sends 2 · (N − 1) / N of x's bytes a rank.
 */
export async function reduce(g: Recorder, fabric: Fabric, group: Group, tag: string, x: Tensor): Promise<Tensor> {
  const { ranks, index } = group
  if (ranks.length === 1) return x
  const slices = x.size < ranks.length ? slicesOfFew(x.size, ranks.length) : evenShares(x.size, ranks.length, 'values')
  const partOf = (tensor: Tensor, { first, end }: Share): Part => ({
    tensor,
    offset: first * BYTES_PER_ELEMENT.f32,
    bytes: (end - first) * BYTES_PER_ELEMENT.f32,
  })
  const own = slices[index]
  const length = own.end - own.first
  const rest = others(index, ranks.length)
  const sum = g.allocate(x.shape, 'f32', tag)
  await g.scope(async () => {
    const arrivals = ranks.map((rank, k) =>
      k === index || length === 0
        ? Promise.resolve([])
        : fabric.recv(g, rank, tag, [{ shape: [length], dtype: 'f32' }]),
    )
    await Promise.all(
      rest
        .filter((k) => slices[k].end > slices[k].first)
        .map((k) => fabric.sendParts(g, ranks[k], tag, () => [partOf(x, slices[k])])),
    )
    const terms = (await Promise.all(arrivals)).map(([piece]) => piece)
    if (length > 0) {
      const mine = g.create([length], 'f32', tag)
      copyRows(g, x, { stride: length, offset: own.first }, mine, { stride: length, offset: 0 }, 1, length)
      terms[index] = mine
      const total = addAll(g, terms)
      copyRows(g, total, { stride: length, offset: 0 }, sum, { stride: length, offset: own.first }, 1, length)
    }
    const slicesToCome = rest
      .filter((k) => slices[k].end > slices[k].first)
      .map((k) => fabric.recvParts(g, ranks[k], `${tag}.sum`, [partOf(sum, slices[k])]))
    if (length > 0) {
      await Promise.all(rest.map((k) => fabric.sendParts(g, ranks[k], `${tag}.sum`, () => [partOf(sum, own)])))
    }
    await Promise.all(slicesToCome)
  })
  return sum
}

/** Sums in the given order, at most five at a time. */
function addAll(g: Recorder, terms: Tensor[]): Tensor {
  let total = combine(
    g,
    terms.slice(0, 5).map((t) => [t, 1] as const),
  )
  for (let k = 5; k < terms.length; k += 4) {
    total = combine(
      g,
      [total, ...terms.slice(k, k + 4)].map((t) => [t, 1] as const),
    )
  }
  return total
}

const slicesOfFew = (size: number, parts: number): Share[] =>
  Array.from({ length: parts }, (_, k) => ({ first: Math.min(k, size), end: Math.min(k + 1, size) }))

const others = (index: number, size: number): number[] =>
  Array.from({ length: size }, (_, k) => k).filter((k) => k !== index)
