import { describe, expect, it } from 'vitest'
import {
  channelsFirst,
  channelsLast,
  concat,
  gather,
  patchify,
  relativeBias,
  unpatchify,
} from '../../../src/runtime/ops/index.ts'
import { compute } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'

/** Values move and are not computed, so every comparison is exact. */
describe('patchify', () => {
  const [pictures, channels, height, width, patch] = [2, 3, 4, 6, 2]
  const x = random(pictures * channels * height * width)

  it.each([
    ['a whole batch', 2, 0, 6],
    ['a range of tokens that begins inside a row', 2, 1, 5],
    ['pictures repeated for guidance', 4, 2, 6],
  ])('cuts %s', async (_, batch, first, end) => {
    const y = await compute({ x: { data: x, shape: [pictures, channels, height, width] } }, (g, t) =>
      patchify(g, t.x, { patch, batch, first, end }),
    )
    const expected: number[] = []
    for (let n = 0; n < batch; n++)
      for (let token = first; token < end; token++)
        for (let c = 0; c < channels; c++)
          for (let i = 0; i < patch; i++)
            for (let j = 0; j < patch; j++) {
              const across = width / patch
              const row = Math.floor(token / across) * patch + i
              const column = (token % across) * patch + j
              expected.push(x[(((n % pictures) * channels + c) * height + row) * width + column])
            }
    expect([...y]).toEqual(expected)
  })
})

describe('unpatchify', () => {
  it.each([4, 3])('puts patches back where the source has %i channels and 3 are wanted', async (source) => {
    const [batch, channels, height, width, patch] = [2, 3, 4, 6, 2]
    const tokens = (height * width) / patch ** 2
    const x = random(batch * tokens * patch * patch * source)
    const y = await compute({ x: { data: x, shape: [batch, tokens, patch * patch * source] } }, (g, t) =>
      unpatchify(g, t.x, { patch, channels, height, width }),
    )
    const expected: number[] = []
    for (let n = 0; n < batch; n++)
      for (let c = 0; c < channels; c++)
        for (let row = 0; row < height; row++)
          for (let column = 0; column < width; column++) {
            const token = Math.floor(row / patch) * (width / patch) + Math.floor(column / patch)
            const inner = (row % patch) * patch + (column % patch)
            expected.push(x[((n * tokens + token) * patch * patch + inner) * source + c])
          }
    expect([...y]).toEqual(expected)
  })
})

describe('channel order', () => {
  const [batch, channels, height, width] = [2, 5, 3, 7]
  const first = random(batch * channels * height * width)
  const last = Array.from(first, (_, at) => {
    const channel = at % channels
    const pixel = Math.floor(at / channels) % (height * width)
    const picture = Math.floor(at / (channels * height * width))
    return first[(picture * channels + channel) * height * width + pixel]
  })

  it('turns channels last', async () => {
    const y = await compute({ x: { data: first, shape: [batch, channels, height, width] } }, (g, t) =>
      channelsLast(g, t.x),
    )
    expect([...y]).toEqual(last)
  })

  it('turns channels first', async () => {
    const data = Float32Array.from(last)
    const y = await compute({ x: { data, shape: [batch, height, width, channels] } }, (g, t) => channelsFirst(g, t.x))
    expect([...y]).toEqual([...first])
  })
})

describe('concat', () => {
  it('joins rows of different widths', async () => {
    const [a, b] = [random(2 * 3 * 5), random(6 * 2)]
    const y = await compute({ a: { data: a, shape: [2, 3, 5] }, b: { data: b, shape: [6, 2] } }, (g, t) =>
      concat(g, t.a, t.b, 6),
    )
    const expected = Array.from({ length: 6 }, (_, r) => [...a.slice(r * 5, r * 5 + 5), ...b.slice(r * 2, r * 2 + 2)])
    expect([...y]).toEqual(expected.flat())
  })
})

describe('gather', () => {
  it('takes rows of a table', async () => {
    const table = random(7 * 5)
    const ids = new Uint32Array([3, 0, 6, 6, 1, 3])
    const y = await compute({ table: { data: table, shape: [7, 5] }, ids: { data: ids, shape: [2, 3] } }, (g, t) =>
      gather(g, t.table, t.ids),
    )
    expect([...y]).toEqual([...ids].flatMap((id) => [...table.slice(id * 5, id * 5 + 5)]))
  })
})

describe('relativeBias', () => {
  it.each([
    [4, 4],
    [3, 6],
    [5, 2],
  ])('spreads a table over %i queries and %i keys by their distance', async (queries, keys) => {
    const [buckets, heads] = [6, 3]
    const table = random(buckets * heads)
    const bucketOf = Uint32Array.from({ length: queries + keys - 1 }, () => Math.floor(Math.random() * buckets))
    const y = await compute(
      { table: { data: table, shape: [buckets, heads] }, buckets: { data: bucketOf, shape: [queries + keys - 1] } },
      (g, t) => relativeBias(g, t.table, t.buckets, queries, keys),
    )
    const expected: number[] = []
    for (let h = 0; h < heads; h++)
      for (let q = 0; q < queries; q++)
        for (let k = 0; k < keys; k++) expected.push(table[bucketOf[k - q + queries - 1] * heads + h])
    expect([...y]).toEqual(expected)
  })
})
