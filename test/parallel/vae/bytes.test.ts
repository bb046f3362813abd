import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Component } from '../../../src/models/component.ts'
import { rowsBytes } from '../../../src/parallel/cost/rows.ts'
import { decoderRows, encoderRows } from '../../../src/pipelines/autoencoder_rows.ts'
import { goldenComponent } from '../../support/checkpoint.ts'
import { random } from '../../support/numbers.ts'
import { type Half, partsOn } from './vae_halves.ts'

let vae: Component<'AutoencoderKL'>
beforeAll(async () => {
  vae = await goldenComponent('AutoencoderKL', 'vae_kl_16ch')
}, 60_000)
afterAll(() => vae.weights.free())

describe('bytes sent', () => {
  it.each<[Half, number, number[], number]>([
    ['decode', 3, [2, 16, 7, 3], 3],
    ['decode', 1, [1, 16, 2, 2], 2],
    ['encode', 3, [2, 3, 41, 27], 3],
  ])('%s over %i ranks of %j: halo rows, moments, keys and values', async (half, count, shape, columns) => {
    const [pictures, , , width] = shape
    const parts = await partsOn(count, half, vae, { data: random(shape.reduce((a, b) => a * b)), shape })
    const network = half === 'decode' ? decoderRows(vae.config, width) : encoderRows(vae.config, width)
    const latentRows = half === 'decode' ? 1 / vae.config.scale : 1
    for (const [index, { sent, share }] of parts.entries()) {
      const latents = (share.end - share.first) * latentRows * columns
      const expected = rowsBytes(network, { index, count }, { pictures, latents }, { stream: 4, operand: 4 })
      expect(Object.fromEntries(sent)).toEqual(count === 1 ? {} : expected)
    }
  })
})
