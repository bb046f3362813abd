import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { posterior } from '../../../src/models/autoencoder_kl/posterior.ts'
import { loadComponent } from '../../../src/models/component.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { goldenComponent } from '../../support/checkpoint.ts'
import { testDevice } from '../../support/device.ts'
import { loadGolden } from '../../support/golden_io.ts'
import { random, relativeL2 } from '../../support/numbers.ts'
import { onRanks } from '../../support/ranks.ts'
import { HALVES, type Half, onOneDevice, partsOn, stacked, type Vae, type Values } from './vae_halves.ts'

const loaded = new Map<string, Vae & { weights: { free(): void } }>()
beforeAll(async () => {
  for (const name of ['vae_kl_4ch', 'vae_kl_16ch']) loaded.set(name, await goldenComponent('AutoencoderKL', name))
  const model = await openFolder(fileURLToPath(new URL('../../../models/emoji-pixart', import.meta.url)))
  loaded.set('emoji-pixart', await loadComponent(await testDevice(), 'AutoencoderKL', model, 'vae'))
  await model.close()
}, 60_000)
afterAll(() => {
  for (const { weights } of loaded.values()) weights.free()
})

const values = (...shape: number[]): Values => ({ data: random(shape.reduce((a, b) => a * b)), shape })

describe('rows split over ranks', () => {
  it.each<[string, Half, number, number[], number[]?]>([
    ['vae_kl_16ch', 'decode', 1, [1, 16, 3, 2]],
    ['vae_kl_16ch', 'decode', 2, [2, 16, 5, 3]],
    ['vae_kl_16ch', 'decode', 3, [1, 16, 7, 4], [1, 4, 2]],
    ['vae_kl_16ch', 'decode', 5, [2, 16, 5, 3]],
    ['vae_kl_16ch', 'decode', 8, [1, 16, 11, 3]],
    ['vae_kl_16ch', 'decode', 8, [1, 16, 3, 4]],
    ['vae_kl_16ch', 'encode', 1, [1, 3, 17, 24]],
    ['vae_kl_16ch', 'encode', 2, [2, 3, 31, 27]],
    ['vae_kl_4ch', 'encode', 3, [1, 3, 62, 33], [3, 1, 2]],
    ['vae_kl_4ch', 'encode', 5, [1, 3, 47, 24]],
    ['vae_kl_4ch', 'encode', 8, [2, 3, 64, 16]],
    ['emoji-pixart', 'decode', 3, [1, 8, 5, 4]],
  ])('%s: %s over %i ranks is that of one device, %j, speeds %j', async (name, half, count, shape, speeds) => {
    const vae = loaded.get(name)!
    const x = values(...shape)
    const whole = await onOneDevice(half, vae, x)
    const parts = await partsOn(count, half, vae, x, speeds)
    expect(relativeL2(stacked(parts, whole.shape), whole.data)).toBeLessThan(1e-5)
    expect(parts.map(({ share }) => share.first)).toEqual([0, ...parts.slice(0, -1).map(({ share }) => share.end)])
  })

  it.each<[string, string, Half, number, number]>([
    ['vae_kl_4ch', 'io', 'decode', 2, 0],
    ['vae_kl_16ch', 'io', 'decode', 3, 1],
    ['vae_kl_4ch', 'io_encode', 'encode', 5, 2],
    // Five rows of latents: three of the ranks have nothing to do, and one of these gets the whole.
    ['vae_kl_16ch', 'io_encode', 'encode', 8, 7],
  ])(
    '%s/%s: %s over %i ranks, delivered to the one at %i, is that of diffusers',
    async (name, file, half, count, root) => {
      const { config, weights } = loaded.get(name)!
      const io = loadGolden(name, `${file}.safetensors`)
      const x = io[half === 'decode' ? 'input.z' : 'input.x'] as Values
      const results = await onRanks(count, async ({ g, fabric }) => {
        const group = { ranks: Array.from({ length: count }, (_, k) => k), index: fabric.rank }
        const whole = await HALVES[half].to(root, g, config, weights, g.upload(x.data, x.shape), { fabric, group })
        return whole && { data: await g.read(whole), shape: [...whole.shape] }
      })
      expect(results.flatMap((whole, index) => (whole ? [index] : []))).toEqual([root])
      const { data, shape } = results[root]!
      if (half === 'decode') {
        expect(shape).toEqual(io['output.sample'].shape)
        expect(relativeL2(data, io['output.sample'].data as Float32Array)).toBeLessThan(1e-5)
        return
      }
      const { mean, logvar } = posterior(data, shape)
      expect(relativeL2(mean, io['output.mean'].data as Float32Array)).toBeLessThan(1e-5)
      expect(relativeL2(logvar, io['output.logvar'].data as Float32Array)).toBeLessThan(1e-5)
    },
  )
})
