import { matmul, matmulName } from '../../../src/wgsl/matmul.ts'
import type { TileShape } from '../../../src/wgsl/tile/shape.ts'
import type { Contestant } from '../../race.ts'

/** The shipped generator with another tile than the device would get. */
export const matmulContestant = (name: string, tile: TileShape): Contestant => ({
  name,
  record(g, { x, w }) {
    const [m, k] = x.shape
    const n = w.dim(0)
    const epilogue = { bias: false, activation: 'none', multiply: false, gate: false, residual: false } as const
    const parameters = { rows: 'matrix', stored: { a: 'f32', b: 'f32', y: 'f32' }, tile, vec: 4, epilogue } as const
    const y = g.create([m, n])
    g.record({
      kernel: { name: `bench.${matmulName(parameters)}`, code: matmul(parameters) },
      inputs: [x, w],
      outputs: [y],
      uniforms: [m, n, k / 4, 1, 0, 0, 1],
      groups: [Math.ceil(n / (tile.lx * tile.tn)), Math.ceil(m / (tile.ly * tile.tm)), 1],
    })
    return y
  },
})
