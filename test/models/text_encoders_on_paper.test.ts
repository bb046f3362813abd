import { describe, expect, it } from 'vitest'
import { bertEncoder } from '../../src/models/bert/encoder.ts'
import { clipTextEncoder, clipTextProjection } from '../../src/models/clip/encoder.ts'
import { loadComponent, type NetworkClass } from '../../src/models/component.ts'
import { paperSource } from '../../src/pipelines/memory_plan/paper_source.ts'
import { Device } from '../../src/runtime/device.ts'
import { paperPlatform } from '../../src/runtime/paper_device.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'

const GPU = {
  info: { vendor: 'paper', architecture: '', device: '', description: '', isFallbackAdapter: false },
  features: ['shader-f16'],
  limits: { maxBufferSize: 2 ** 32, maxStorageBufferBindingSize: 2 ** 32 },
}

/** Published sizes; parameters as transformers counts them. */
const L = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  projection_dim: 768,
}
const G = {
  hidden_size: 1280,
  intermediate_size: 5120,
  num_hidden_layers: 32,
  num_attention_heads: 20,
  projection_dim: 1280,
  hidden_act: 'gelu',
}
const BERT = {
  vocab_size: 47020,
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
}

/** A network of that config on a device that has sizes and no bytes, from the config alone. */
async function onPaper<C extends NetworkClass>(className: C, config: object, tier: 'f32' | 'f16') {
  const device = await Device.open(paperPlatform(GPU), { tier })
  const files = new Map([['encoder/config.json', new TextEncoder().encode(JSON.stringify(config))]])
  const source = await paperSource(memorySource(files), { encoder: className })
  return { device, ...(await loadComponent(device, className, source, 'encoder')) }
}

describe('text encoders of published sizes, on paper', () => {
  it.each([
    ['CLIPTextModel', L, 123_060_480],
    ['CLIPTextModelWithProjection', L, 123_650_304],
    ['CLIPTextModelWithProjection', G, 694_659_840],
    ['BertModel', BERT, 352_035_840],
  ] as const)('%s %j', async (className, config, parameters) => {
    const { device } = await onPaper(className, config, 'f32')
    expect(device.weightBytes).toBe(4 * parameters)
    const half = (await onPaper(className, config, 'f16')).device.weightBytes
    expect(half / parameters).toBeGreaterThan(2)
    expect(half / parameters).toBeLessThan(2.02)
  })

  it('encode a pair of prompts in some megabytes', async () => {
    const ids = new Array(2 * 77).fill(5)
    const clip = await onPaper('CLIPTextModelWithProjection', G, 'f16')
    const g = new Recorder(clip.device)
    const { hidden, pooled } = await clipTextEncoder(g, clip.config, clip.weights, ids, 2)
    expect([hidden.shape, clipTextProjection(g, clip.weights, pooled).shape]).toEqual([
      [2, 77, 1280],
      [2, 1280],
    ])
    const bert = await onPaper('BertModel', BERT, 'f16')
    const b = new Recorder(bert.device)
    const state = await bertEncoder(b, bert.config, bert.weights, { ids, batch: 2, mask: ids })
    expect(state.shape).toEqual([2, 77, 1024])
    // Some tensors of [2, 77, hidden] at a time, however many layers there are.
    for (const [recorder, device, hidden] of [
      [g, clip.device, 5120],
      [b, bert.device, 4096],
    ] as const) {
      await recorder.flush()
      expect(device.arena.peak).toBeLessThan(4 * 2 * 77 * hidden * 4)
      expect(device.arena.peak).toBeGreaterThan(2 * 77 * hidden * 2)
    }
  })
})
