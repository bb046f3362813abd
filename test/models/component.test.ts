import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ComponentOptions, loadComponent } from '../../src/models/component.ts'
import type { Device } from '../../src/runtime/device.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import {
  type HostTensor,
  readSafetensorsHeader,
  readTensor,
  writeSafetensors,
} from '../../src/runtime/weights/safetensors.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'

const FILE = 'diffusion_pytorch_model.safetensors'

describe('the parts of an autoencoder', () => {
  let device: Device
  let config: string
  const tensors: Record<string, HostTensor> = {}
  beforeAll(async () => {
    device = await testDevice()
    const source = await openFolder(join(GOLDEN, 'vae_kl_4ch'))
    config = await source.readText('config.json')
    const file = await readSafetensorsHeader(source, FILE)
    for (const name of file.tensors.keys()) tensors[name] = await readTensor(source, file, name)
    await source.close()
  })

  /** Bytes of weights on the device of a checkpoint that holds these. */
  async function loaded(held: Record<string, HostTensor>, parts?: ComponentOptions['parts']): Promise<number> {
    const files = new Map([
      ['config.json', new TextEncoder().encode(config)],
      [FILE, writeSafetensors(held)],
    ])
    const before = device.weightBytes
    const { weights } = await loadComponent(device, 'AutoencoderKL', memorySource(files, 'vae'), '', { parts })
    const bytes = device.weightBytes - before
    weights.free()
    expect(device.weightBytes).toBe(before)
    return bytes
  }

  const only = (keys: RegExp) => Object.fromEntries(Object.entries(tensors).filter(([name]) => keys.test(name)))
  const bytesOf = (held: Record<string, HostTensor>) =>
    Object.values(held).reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0)
  const ENCODER = /^(encoder|quant_conv)/
  const DECODER = /^(decoder|post_quant_conv)/

  it('takes those that are asked for, and all unless told otherwise', async () => {
    expect(await loaded(tensors, ['decode'])).toBe(bytesOf(only(DECODER)))
    expect(await loaded(tensors, ['encode'])).toBe(bytesOf(only(ENCODER)))
    expect(await loaded(tensors, ['encode', 'decode'])).toBe(bytesOf(tensors))
    expect(await loaded(tensors)).toBe(bytesOf(tensors))
  })

  it('a checkpoint of one half will do for that half', async () => {
    expect(await loaded(only(DECODER), ['decode'])).toBe(bytesOf(only(DECODER)))
    expect(await loaded(only(ENCODER), ['encode'])).toBe(bytesOf(only(ENCODER)))
    await expect(loaded(only(DECODER))).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringMatching(/missing \(\d+\): encoder\.conv_in\.weight, /),
    })
    await expect(loaded(only(ENCODER), ['decode'])).rejects.toThrow(/missing \(\d+\): post_quant_conv\.weight, /)
  })

  it('tells what a half does not know, and leaves the other half alone', async () => {
    const odd = { ...tensors, 'encoder.extra': tensors['quant_conv.bias'] }
    expect(await loaded(odd, ['decode'])).toBe(bytesOf(only(DECODER)))
    await expect(loaded(odd, ['encode'])).rejects.toThrow(/unexpected \(1\): encoder\.extra$/)
    const other = { ...tensors, 'discriminator.conv.bias': tensors['quant_conv.bias'] }
    await expect(loaded(other, ['decode'])).rejects.toThrow(/unexpected \(1\): discriminator\.conv\.bias$/)
  })
})
