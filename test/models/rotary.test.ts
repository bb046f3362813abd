import { describe, expect, it } from 'vitest'
import { cropRegion, rotary2d, rotaryOfIds } from '../../src/models/rotary.ts'
import { loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const io = loadGolden('functions')
// biome-ignore lint/suspicious/noExplicitAny: the fixture's own description
const { call } = (loadGoldenJson('functions') as any).runs.main
const expected = (name: string) => io[`output.${name}`].data as Float32Array

describe('rotary tables', () => {
  it.each([0, 1])('of rows and columns, %i, are those of diffusers', (i) => {
    const { dim, grid, base_size: base, crops_coords: region } = call[`rotary_2d.${i}`]
    expect(cropRegion(grid[0], grid[1], base)).toEqual(region)
    const { cos, sin } = rotary2d(dim, region, grid[0], grid[1])
    expect(relativeL2(cos, expected(`rotary_2d.${i}.cos`))).toBeLessThan(1e-6)
    expect(relativeL2(sin, expected(`rotary_2d.${i}.sin`))).toBeLessThan(1e-6)
  })

  it.each([0, 1])('of ids on three axes, %i, are those of diffusers', (i) => {
    const ids = Array.from(io[`input.flux_rope.${i}.ids`].data as ArrayLike<number | bigint>, Number)
    const { cos, sin } = rotaryOfIds(ids, call[`flux_rope.${i}`].axes)
    expect(relativeL2(cos, expected(`flux_rope.${i}.cos`))).toBeLessThan(1e-6)
    expect(relativeL2(sin, expected(`flux_rope.${i}.sin`))).toBeLessThan(1e-6)
  })

  it('turn nothing at the place 0, and stand for one row as for many', () => {
    const { cos, sin } = rotary2d(8, cropRegion(1, 3, 4), 1, 3)
    expect(cos.length).toBe(24)
    expect([...cos, ...sin].every(Number.isFinite)).toBe(true)
    expect([...sin.subarray(0, 4)]).toEqual([0, 0, 0, 0])
  })
})
