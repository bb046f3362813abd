import { describe, expect, it } from 'vitest'
import { allGather, allToAll, broadcast, reduce } from '../../../src/parallel/fabric/collectives.ts'
import type { Group } from '../../../src/parallel/mesh/mesh.ts'
import { add } from '../../../src/runtime/ops/index.ts'
import type { DType, Tensor } from '../../../src/runtime/tensor.ts'
import { failure } from '../../support/failure.ts'
import { random } from '../../support/numbers.ts'
import { type FabricRank, onRanks } from '../../support/ranks.ts'

const COUNTS = [1, 2, 3, 5, 8]

const everybody = (count: number, index: number): Group => ({
  ranks: Array.from({ length: count }, (_, rank) => rank),
  index,
})

/** What a tensor holds, as words or half words. */
async function bitsOf({ g, device }: FabricRank, x: Tensor): Promise<Uint32Array | Uint16Array> {
  await g.flush()
  if (x.size === 0) return new Uint32Array()
  const half = x.dtype === 'f16'
  const bytes = await device.download(x.placement!.buffer, x.size * (half ? 2 : 4))
  return half ? new Uint16Array(bytes) : new Uint32Array(bytes)
}

/** What rank `from` gives rank `to`: sizes of their own, none at all among them; f16 with odd numbers of values. */
const message = (from: number, to: number): { shape: number[]; dtype: DType; data: Uint32Array | Uint16Array }[] => {
  const rows = (from + 2 * to) % 4
  const shapes = [
    { shape: [rows, 3], dtype: 'f32' as const },
    { shape: [1, 2 * rows + 1, 3], dtype: 'f16' as const },
  ]
  return shapes.map(({ shape, dtype }) => {
    const values = Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => 1000 * from + 50 * to + i)
    return { shape, dtype, data: dtype === 'f16' ? Uint16Array.from(values) : Uint32Array.from(values) }
  })
}

const upload = ({ g }: FabricRank, from: number, to: number): Tensor[] =>
  message(from, to).map(({ shape, data }) =>
    g.upload(data instanceof Uint16Array ? data.slice() : new Float32Array(data.buffer as ArrayBuffer), shape),
  )

/** Bytes of a message: f16 in pairs. */
const bytesOf = (from: number, to: number): number =>
  message(from, to).reduce(
    (sum, { data, dtype }) => sum + (dtype === 'f16' ? 4 * Math.ceil(data.length / 2) : 4 * data.length),
    0,
  )

describe.each(COUNTS)('among %d ranks', (count) => {
  it('all to all brings each what the others gave it, of sizes that differ', async () => {
    await onRanks(count, async (rank) => {
      const { g, fabric, index } = rank
      const group = everybody(count, index)
      const outgoing = group.ranks.map((to) => upload(rank, index, to))
      const incoming = group.ranks.map((from) => message(from, index))
      const messages = await allToAll(g, fabric, group, 'kv', outgoing, incoming)
      for (const from of group.ranks) {
        for (const [k, { shape, data }] of message(from, index).entries()) {
          expect(messages[from][k].shape).toEqual(shape)
          expect(await bitsOf(rank, messages[from][k])).toEqual(data)
        }
      }
      const others = group.ranks.filter((to) => to !== index)
      expect(fabric.sent.get('kv') ?? 0).toBe(others.reduce((sum, to) => sum + bytesOf(index, to), 0))
    })
  })

  it('all gather gives everybody everything', async () => {
    await onRanks(count, async (rank) => {
      const { g, fabric, index } = rank
      const group = everybody(count, index)
      const own = upload(rank, index, 0)
      const all = await allGather(
        g,
        fabric,
        group,
        'parts',
        own,
        group.ranks.map((from) => message(from, 0)),
      )
      expect(all[index]).toEqual(own)
      for (const from of group.ranks) {
        for (const [k, { data }] of message(from, 0).entries()) expect(await bitsOf(rank, all[from][k])).toEqual(data)
      }
      expect(fabric.sent.get('parts') ?? 0).toBe((count - 1) * bytesOf(index, 0))
    })
  })

  it('broadcast gives everybody what the root has', async () => {
    const root = count >> 1
    await onRanks(count, async (rank) => {
      const { g, fabric, index } = rank
      const given = index === root ? upload(rank, root, 1) : message(root, 1)
      const came = await broadcast(g, fabric, everybody(count, index), root, 'text', given)
      for (const [k, { data }] of message(root, 1).entries()) expect(await bitsOf(rank, came[k])).toEqual(data)
      expect(fabric.sent.get('text') ?? 0).toBe(index === root ? (count - 1) * bytesOf(root, 1) : 0)
    })
  })

  it.each([[1], [2], [3, 5], [7], [4, 8], [3, 7, 11], [1, 1601]])(
    'the sum of [%j, %j] is that of the host in the order of ranks, bit for bit',
    async (...given) => {
      const shape = given.filter((n) => typeof n === 'number')
      const size = shape.reduce((a, b) => a * b)
      const data = Array.from({ length: count }, () => random(size, 100))
      const expected = data.slice(1).reduce((sum, terms) => sum.map((v, i) => Math.fround(v + terms[i])), data[0])
      const counted = await onRanks(count, async ({ g, fabric, index }) => {
        const half = g.upload(
          data[index].map((v) => v / 2),
          shape,
        )
        const sum = await reduce(g, fabric, everybody(count, index), 'sum', add(g, half, half))
        expect(sum.shape).toEqual(shape)
        expect(await g.read(sum)).toEqual(expected)
        return [fabric.sent.get('sum') ?? 0, fabric.sent.get('sum.sum') ?? 0]
      })
      for (const [rank, [terms, sums]] of counted.entries()) {
        if (count === 1) expect([terms, sums]).toEqual([0, 0])
        else {
          const slice = Math.floor(size / count) + (rank < size % count ? 1 : 0)
          expect([terms, sums]).toEqual([4 * (size - slice), 4 * (count - 1) * slice])
        }
      }
      const total = counted.flat().reduce((a, b) => a + b)
      expect(total).toBe(2 * (count - 1) * size * 4)
    },
  )
})

it('groups of one mesh do not disturb each other, whatever the order of their ranks', async () => {
  const data = Array.from({ length: 6 }, () => random(10))
  await onRanks(6, async ({ g, fabric, index }) => {
    const ranks = index % 2 === 0 ? [4, 0, 2] : [1, 3, 5]
    const group = { ranks, index: ranks.indexOf(index) }
    const [first, ...rest] = ranks.map((rank) => data[rank])
    const expected = rest.reduce((sum, terms) => sum.map((v, i) => Math.fround(v + terms[i])), first)
    const x = g.upload(data[index], [10])
    // Twice with one tag, with nobody waiting in between.
    const [once, twice] = await Promise.all([
      reduce(g, fabric, group, 'tensor', x),
      reduce(g, fabric, group, 'tensor', add(g, x, x)),
    ])
    expect(await g.read(once)).toEqual(expected)
    expect(await g.read(twice)).toEqual(expected.map((v) => 2 * v))
  })
})

it('a sum gives back all that it needs in between', async () => {
  await onRanks(7, async ({ g, device, fabric, index }) => {
    const { arena } = device
    const used = () => {
      arena.phases.delete('now')
      arena.enter('now')
      return arena.phases.get('now')!.used
    }
    const x = g.upload(random(7 * 64 + 3), [7 * 64 + 3])
    const before = used()
    const sum = await reduce(g, fabric, everybody(7, index), 'sum', x)
    await fabric.barrier(g, everybody(7, 0).ranks)
    // Its terms came with messages of this scope; the sum is as large as x.
    g.release(sum)
    expect(used()).toBe(before)
  })
})

it('refuses sums of other types, and lists that do not fit the group', async () => {
  await onRanks(2, async ({ g, fabric, index }) => {
    const group = everybody(2, index)
    const half = g.upload(new Uint16Array(4), [2, 2])
    expect((await failure(reduce(g, fabric, group, 'sum', half))).message).toContain(
      "'sum' of f16 [2, 2], expected f32",
    )
    const error = await failure(allToAll(g, fabric, group, 'kv', [[half]], [[], []]))
    expect(error.message).toBe("'kv' has 1 messages to send and 2 to get among 2 ranks")
    expect(fabric.sent.size).toBe(0)
  })
})

it('an error of one rank ends the collectives of all', async () => {
  for (const who of [0, 1, 2]) {
    const errors: unknown[] = []
    const error = await failure(
      onRanks(3, async ({ g, fabric, index }) => {
        const x = g.upload(random(9), [9])
        const group = everybody(3, index)
        await reduce(g, fabric, group, 'sum', x)
        if (index === who) throw new Error(`of rank ${who}`)
        errors.push(await failure(reduce(g, fabric, group, 'sum', x)))
        errors.push(
          await failure(allGather(g, fabric, group, 'all', [x], Array(3).fill([{ shape: [9], dtype: 'f32' }]))),
        )
        errors.push(await failure(fabric.barrier(g, group.ranks)))
        throw errors[0]
      }),
    )
    expect(error.message).toBe(`of rank ${who}`)
    expect(errors).toHaveLength(6)
    expect(errors.every((one) => one === error)).toBe(true)
  }
})
