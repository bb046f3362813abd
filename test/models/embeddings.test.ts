import { describe, expect, it } from 'vitest'
import { sinCosPositions2d, timestepEmbedding } from '../../src/models/embeddings.ts'
import { loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const io = loadGolden('functions')
// biome-ignore lint/suspicious/noExplicitAny: the fixture's own description
const { call } = (loadGoldenJson('functions') as any).runs.main

describe('embeddings', () => {
  it.each([0, 1])('timestep embedding %i is that of diffusers', (i) => {
    const { timesteps, dim, flip, shift } = call[`timestep_embedding.${i}`]
    const values = timestepEmbedding(timesteps, dim, { flipSinToCos: flip, downscaleFreqShift: shift })
    expect(relativeL2(values, io[`output.timestep_embedding.${i}`].data as Float32Array)).toBeLessThan(5e-6)
  })

  it.each([0, 1])('position embedding %i is that of diffusers', (i) => {
    const { dim, grid, base_size: baseSize, interpolation_scale: interpolationScale } = call[`sincos_2d.${i}`]
    const [rows, columns] = Array.isArray(grid) ? grid : [grid, grid]
    const values = sinCosPositions2d(dim, { rows, columns, baseSize, interpolationScale })
    expect(relativeL2(values, io[`output.sincos_2d.${i}`].data as Float32Array)).toBeLessThan(5e-6)
  })
})
