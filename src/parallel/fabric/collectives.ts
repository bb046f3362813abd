import { DitError } from '../../runtime/errors.ts'
import { combine, copyRows } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { BYTES_PER_ELEMENT, shapeText, type Tensor } from '../../runtime/tensor.ts'
import type { Group } from '../mesh/mesh.ts'
import type { Fabric } from './fabric.ts'
import type { Part, TensorSpec } from './transport.ts'

// All members of a group call these with the same tag, and in the same order where tags are the same. Bytes count whole
// tensors (`Tensor.bytes`: f16 with an odd number of values takes two more); N is the number of members.

/**
 * Every rank of the group gives each other one a message, and gets one from each. Sends the bytes of what it gives to
 * others.
 *
 * @param outgoing tensors for each member, in the group's order
 * @param incoming what each member sends to this one
 * @returns what came from each member; from itself what it gave itself: the same tensors
 * @throws DitError 'validation' where there is not one entry for each member
 */
export async function allToAll(
  g: Recorder,
  fabric: Fabric,
  { ranks, index }: Group,
  tag: string,
  outgoing: readonly (readonly Tensor[])[],
  incoming: readonly (readonly TensorSpec[])[],
): Promise<Tensor[][]> {
  if (outgoing.length !== ranks.length || incoming.length !== ranks.length) {
    throw new DitError(
      'validation',
      `'${tag}' has ${outgoing.length} messages to send and ${incoming.length} to get among ${ranks.length} ranks`,
    )
  }
  const arrivals = ranks.map((rank, k) =>
    k === index ? Promise.resolve([...outgoing[k]]) : fabric.recv(g, rank, tag, incoming[k]),
  )
  const sent = others(index, ranks.length).map((k) => fabric.send(g, ranks[k], tag, ...outgoing[k]))
  const [messages] = await Promise.all([Promise.all(arrivals), Promise.all(sent)])
  return messages
}

/**
 * What each member of the group has, of the shapes that `specs` tell; its own is passed through. Sends (N − 1) times its
 * own bytes.
 */
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

/**
 * Sends the root's tensors to the others, which say what to expect. Everybody gets them. The root sends (N − 1) times
 * their bytes, the others nothing.
 *
 * @param root its place in the group
 */
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
 * The sum of all members' x (f32), bit for bit the same on each: every member adds up one slice, in the order of the
 * group, and gives it to the others. A member whose slice has S of the V values sends 4 · (V − S) bytes with the tag and
 * 4 · (N − 1) · S with `${tag}.sum`: 2 · (N − 1) / N of x's bytes where N divides V. Slices differ by one value at most;
 * where there are fewer values than members, the last ones have none.
 *
 * @throws DitError 'validation' for other types
 */
export async function reduce(g: Recorder, fabric: Fabric, group: Group, tag: string, x: Tensor): Promise<Tensor> {
  const { ranks, index } = group
  if (ranks.length === 1) return x
  if (x.dtype !== 'f32') {
    throw new DitError('validation', `the sum '${tag}' of ${x.dtype} ${shapeText(x.shape)}, expected f32`)
  }
  const slices = slicesOf(x.size, ranks.length)
  const { first, length } = slices[index]
  const rest = others(index, ranks.length)
  // No scope here, since others may be open beside it: what is needed in between is released by hand.
  const sum = g.allocate(x.shape, 'f32', tag)
  const arrivals = rest.map((k) =>
    length > 0 ? fabric.recv(g, ranks[k], tag, [{ shape: [length], dtype: 'f32' }]) : Promise.resolve([]),
  )
  const withValues = rest.filter((k) => slices[k].length > 0)
  const sent = withValues.map((k) => fabric.sendParts(g, ranks[k], tag, () => [partOf(x, slices[k])]))
  const sums = withValues.map((k) => fabric.recvParts(g, ranks[k], `${tag}.sum`, [partOf(sum, slices[k])]))
  const [pieces] = await Promise.all([Promise.all(arrivals), Promise.all(sent)])
  if (length > 0) {
    const own = g.create([length], 'f32', tag)
    copyRows(g, x, { stride: 0, offset: first }, own, { stride: 0, offset: 0 }, 1, length)
    const terms = pieces.map(([piece]) => piece).toSpliced(index, 0, own)
    const total = addAll(g, terms)
    copyRows(g, total, { stride: 0, offset: 0 }, sum, { stride: 0, offset: first }, 1, length)
    for (const tensor of [...terms, total]) g.release(tensor)
    await Promise.all(rest.map((k) => fabric.sendParts(g, ranks[k], `${tag}.sum`, () => [partOf(sum, slices[index])])))
  }
  await Promise.all(sums)
  return sum
}

interface Slice {
  readonly first: number
  readonly length: number
}

const slicesOf = (size: number, parts: number): Slice[] =>
  Array.from({ length: parts }, (_, k) => {
    const [least, more] = [Math.floor(size / parts), size % parts]
    return { first: k * least + Math.min(k, more), length: least + (k < more ? 1 : 0) }
  })

const partOf = (tensor: Tensor, { first, length }: Slice): Part => ({
  tensor,
  offset: first * BYTES_PER_ELEMENT.f32,
  bytes: length * BYTES_PER_ELEMENT.f32,
})

/** Sums in the given order, at most five at a time. */
function addAll(g: Recorder, [first, ...rest]: readonly Tensor[]): Tensor {
  let total = first
  for (let k = 0; k < rest.length; k += 4) {
    const terms = [total, ...rest.slice(k, k + 4)]
    const next = combine(
      g,
      terms.map((t) => [t, 1] as const),
    )
    if (total !== first) g.release(total)
    total = next
  }
  return total
}

const others = (index: number, size: number): number[] =>
  Array.from({ length: size }, (_, k) => k).filter((k) => k !== index)
