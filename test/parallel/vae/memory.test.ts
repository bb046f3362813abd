import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadComponent } from '../../../src/models/component.ts'
import { Fabric } from '../../../src/parallel/fabric/fabric.ts'
import { localTransports } from '../../../src/parallel/fabric/local.ts'
import { paperSource } from '../../../src/pipelines/memory_plan/paper_source.ts'
import { Device } from '../../../src/runtime/device.ts'
import { paperPlatform } from '../../../src/runtime/paper_device.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../src/runtime/tensor.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { goldenComponent } from '../../support/checkpoint.ts'
import { testDevice } from '../../support/device.ts'
import { HALVES, type Half, type Vae } from './vae_halves.ts'

interface Memory {
  /** Bytes in use at a time, at most. */
  readonly used: number
  /** Bytes held, used or not, at most. */
  readonly held: number
}

async function measure(device: Device, run: (g: Recorder) => Promise<unknown>): Promise<Memory> {
  const g = new Recorder(device)
  await g.phase('vae', () => g.scope(() => run(g)).then(() => {}))
  const { phases, peak } = device.arena
  g.reset()
  device.close()
  return { used: phases.get('vae')!.used, held: peak }
}

const input = (g: Recorder, shape: readonly number[]): Tensor =>
  g.upload(new Float32Array(shape.reduce((a, b) => a * b)), shape)

/** What one device alone takes, and what each of some ranks. */
async function memoryOf(device: Device, half: Half, { config, weights }: Vae, shape: number[], speeds: number[]) {
  const { whole, part } = HALVES[half]
  const alone = await measure(device.sibling(), (g) => whole(g, config, weights, input(g, shape)))
  const devices = speeds.map(() => device.sibling())
  const transports = localTransports(devices)
  const ranks = speeds.map((_, k) => k)
  const each = devices.map((own, index) =>
    measure(own, (g) => {
      const fabric = new Fabric(transports[index])
      return part(g, config, weights, input(g, shape), { fabric, group: { ranks, index }, speeds })
    }),
  )
  return { alone, each: await Promise.all(each) }
}

/** The autoencoder of SDXL and PixArt-Sigma, on a device on paper. */
async function fullSize(): Promise<{ device: Device; vae: Vae }> {
  const traits = { vendor: 'nvidia', architecture: '', device: '', description: '', isFallbackAdapter: false }
  const limits = { maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 40 }
  const device = await Device.open(paperPlatform({ info: traits, features: [], limits }), { tier: 'f32' })
  const manifest = readFileSync(new URL('../../fixtures/manifests/vae-sdxl.json', import.meta.url), 'utf8')
  const json = new TextEncoder().encode(JSON.stringify(JSON.parse(manifest).config))
  const source = await paperSource(memorySource(new Map([['config.json', json]])), { '': 'AutoencoderKL' })
  return { device, vae: await loadComponent(device, 'AutoencoderKL', source, '') }
}

// Where most is in use, the first resnet of full size has its input of 256 channels, the same normed, and 128 channels of
// its first convolution. The normed one has the neighbours' rows, which take it to the arena's next size, a quarter more:
// (256 + 1.25 · 256 + 128) / 640 = 1.1. The hundredth is for the neighbours' rows on their way.
const MARGIN = 1.11

describe('an autoencoder of full size, 1024 x 1024', () => {
  it.each<[Half, number[], number[]]>([
    ['decode', [1, 4, 128, 128], [1, 1]],
    ['decode', [1, 4, 128, 128], [1, 1, 1, 1]],
    ['decode', [1, 4, 128, 128], Array(8).fill(1)],
    ['decode', [1, 4, 128, 128], [2, 1, 1]],
    ['encode', [1, 3, 1024, 1024], [1, 1, 1, 1]],
    ['encode', [1, 3, 1024, 1024], Array(8).fill(1)],
  ])('%s: ranks need memory by their share: %j, speeds %j', async (half, shape, speeds) => {
    const { device, vae } = await fullSize()
    const { alone, each } = await memoryOf(device, half, vae, shape, speeds)
    const sum = speeds.reduce((a, b) => a + b)
    // Every rank has the picture that is to be encoded, or all latents.
    const given = shape.reduce((a, b) => a * b, 4)
    for (const [k, { used, held }] of each.entries()) {
      expect(used).toBeLessThan((alone.used * MARGIN * speeds[k]) / sum + given)
      expect(held).toBeLessThan((alone.held * speeds[k]) / sum)
    }
  })
})

it('a rank rehearses by itself, and knows then what it will hold', async () => {
  const { device, vae } = await fullSize()
  const { config, weights } = vae
  const shape = [1, 4, 128, 96]
  const { each } = await memoryOf(device, 'decode', vae, shape, [1, 2, 1])
  const own = device.sibling()
  const fabric = new Fabric(localTransports([own, own, own])[1])
  const rehearsed = await measure(own, (g) =>
    g.rehearse(async () => {
      const ranks = { fabric, group: { ranks: [0, 1, 2], index: 1 }, speeds: [1, 2, 1] }
      await HALVES.decode.part(g, config, weights, input(g, shape), ranks)
    }),
  )
  expect(rehearsed).toEqual(each[1])
})

it('a real device holds for its rank what it holds on paper', async () => {
  const vae = await goldenComponent('AutoencoderKL', 'vae_kl_16ch')
  try {
    const { alone, each } = await memoryOf(await testDevice(), 'decode', vae, [1, 16, 16, 4], [1, 1, 1, 1])
    // 32 rows of pixels each, in sizes a quarter apart: with two rows of neighbours, most tensors have one more.
    for (const { used, held } of each) {
      expect(used).toBeLessThan((alone.used * 1.25) / 4)
      expect(held).toBeLessThan(alone.held / 4)
    }
  } finally {
    vae.weights.free()
  }
})
