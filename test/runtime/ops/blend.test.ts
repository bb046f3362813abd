import { describe, expect, it } from 'vitest'
import { blend, crop, paste } from '../../../src/runtime/ops/index.ts'
import { compute, testRecorder } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

const PLANES = 2 * 3

/** The value of x [planes, height, width] at a place. */
const at = (x: Float32Array, [height, width]: number[], plane: number, row: number, column: number): number =>
  x[(plane * height + row) * width + column]

describe('crop', () => {
  it.each([
    ['of the size that was asked for', { top: 2, left: 3 }, 4, 2, [4, 2]],
    ['as far as the picture goes', { top: 3, left: 5 }, 9, 8, [4, 4]],
  ])('cuts a part out %s', async (_, corner, height, width, [rows, columns]) => {
    const x = random(PLANES * 7 * 9)
    const y = await compute({ x: { data: x, shape: [2, 3, 7, 9] } }, (g, t) => {
      const part = crop(g, t.x, corner, height, width)
      expect(part.shape).toEqual([2, 3, rows, columns])
      return part
    })
    const expected: number[] = []
    for (let plane = 0; plane < PLANES; plane++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          expected.push(at(x, [7, 9], plane, corner.top + row, corner.left + column))
        }
    expect([...y]).toEqual(expected)
  })
})

describe('blend', () => {
  /** blend_v, then blend_h, in place as diffusers has them. */
  function reference(tile: Float32Array, size: number[], above?: Side, left?: Side, extent = 0): Float32Array {
    const y = Float32Array.from(tile)
    const [height, width] = size
    const rows = above ? Math.min(above.size[0], height, extent) : 0
    const columns = left ? Math.min(left.size[1], width, extent) : 0
    for (let plane = 0; plane < PLANES; plane++) {
      const fade = (row: number, column: number, from: number, part: number) => {
        const i = (plane * height + row) * width + column
        y[i] = from * (1 - part) + y[i] * part
      }
      for (let row = 0; row < rows; row++)
        for (let x = 0; x < width; x++) {
          fade(row, x, at(above!.x, above!.size, plane, above!.size[0] - rows + row, x), row / rows)
        }
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < height; row++) {
          fade(row, column, at(left!.x, left!.size, plane, row, left!.size[1] - columns + column), column / columns)
        }
    }
    return y
  }
  type Side = { x: Float32Array; size: number[] }
  const side = (...size: number[]): Side => ({ x: random(PLANES * size[0] * size[1]), size })

  it.each<[string, number[], { above?: Side; left?: Side }, number]>([
    ['nothing', [7, 5], {}, 3],
    ['the tile above', [7, 5], { above: side(8, 5) }, 3],
    ['the tile on the left', [7, 5], { left: side(7, 6) }, 3],
    ['both', [7, 5], { above: side(8, 5), left: side(7, 6) }, 3],
    ['a tile that is smaller than the overlap', [2, 5], { above: side(8, 5), left: side(2, 3) }, 4],
    ['neighbours that do not overlap', [7, 5], { above: side(8, 5), left: side(7, 6) }, 0],
  ])('fades a tile in over %s', async (_, size, { above, left }, extent) => {
    const tile = random(PLANES * size[0] * size[1])
    const g = await testRecorder()
    const upload = ({ x, size }: Side) => g.upload(x, [2, 3, ...size])
    const y = blend(g, upload({ x: tile, size }), {
      above: above && upload(above),
      left: left && upload(left),
      extent,
    })
    expect(relativeL2(await g.read(y), reference(tile, size, above, left, extent))).toBeLessThan(1e-6)
    g.reset()
  })
})

describe('paste', () => {
  it('writes its part of a picture and leaves the rest', async () => {
    const picture = random(PLANES * 6 * 7)
    const tile = random(PLANES * 4 * 5)
    const y = await compute(
      { picture: { data: picture, shape: [2, 3, 6, 7] }, tile: { data: tile, shape: [2, 3, 4, 5] } },
      (g, t) => {
        paste(g, t.picture, t.tile, { top: 3, left: 2 }, 3, 4)
        return t.picture
      },
    )
    const expected = Float32Array.from(picture)
    for (let plane = 0; plane < PLANES; plane++)
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 4; column++) {
          expected[(plane * 6 + 3 + row) * 7 + 2 + column] = at(tile, [4, 5], plane, row, column)
        }
    expect([...y]).toEqual([...expected])
  })
})
