import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AutoencoderKLConfig } from '../../../src/models/autoencoder_kl/config.ts'
import type { Component } from '../../../src/models/component.ts'
import { goldenComponent } from '../../support/checkpoint.ts'
import { random } from '../../support/numbers.ts'
import { type Half, partsOn } from './vae_halves.ts'

/** Values of a row that a convolution reads beyond a rank's own; `down` is false where only the row below is read. */
interface Row {
  readonly values: number
  readonly down: boolean
}

/** The rows that a rank exchanges with each neighbour, in f32: one a convolution of 3 x 3. */
function rowsOf(half: Half, c: AutoencoderKLConfig, width: number): Row[] {
  const rows: Row[] = []
  const conv = (channels: number, columns: number, down = true) => rows.push({ values: channels * columns, down })
  const levels = c.widths.length
  const deepest = c.widths[levels - 1]
  const columnsAt = (level: number) => (half === 'decode' ? width * 2 ** level : Math.floor(width / 2 ** level))
  const mid = (columns: number) => {
    for (let i = 0; i < 4; i++) conv(deepest, columns)
  }
  const widths = half === 'decode' ? [...c.widths].reverse() : c.widths
  conv(half === 'decode' ? c.latentChannels : c.inChannels, width)
  if (half === 'decode') mid(width)
  let input = widths[0]
  for (const [level, channels] of widths.entries()) {
    for (let i = 0; i < c.layersPerBlock + (half === 'decode' ? 1 : 0); i++) {
      conv(i === 0 ? input : channels, columnsAt(level))
      conv(channels, columnsAt(level))
    }
    if (level < levels - 1) conv(channels, columnsAt(level), half === 'decode')
    input = channels
  }
  if (half === 'encode') mid(columnsAt(levels - 1))
  conv(widths[levels - 1], columnsAt(levels - 1))
  return rows
}

/** Norms of a half: two a resnet, one of the attention, one before the last convolution. */
const normsOf = (half: Half, c: AutoencoderKLConfig) =>
  2 * (c.layersPerBlock + (half === 'decode' ? 1 : 0)) * c.widths.length + 4 + 1 + 1

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
    const c = vae.config
    const [batch, , , width] = shape
    const parts = await partsOn(count, half, vae, { data: random(shape.reduce((a, b) => a * b)), shape })
    const rows = rowsOf(half, c, width)
    const latentRows = half === 'decode' ? 1 / c.scale : 1
    for (const [index, { sent, share }] of parts.entries()) {
      const halo = rows.reduce((sum, { values, down }) => {
        const neighbours = (index > 0 ? 1 : 0) + (down && index < count - 1 ? 1 : 0)
        return sum + 4 * batch * values * neighbours
      }, 0)
      const pixels = (share.end - share.first) * latentRows * columns
      const expected = {
        'vae.halo': halo,
        'vae.norm': (count - 1) * normsOf(half, c) * batch * c.groups * 12,
        'vae.attention': (count - 1) * 2 * batch * pixels * c.widths[c.widths.length - 1] * 4,
      }
      expect(Object.fromEntries(sent)).toEqual(count === 1 ? {} : expected)
    }
  })
})
