import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clipTextConfig } from '../../src/models/clip/config.ts'
import { clipTextEncoder, clipTextProjection, endPositions, hiddenOfSkip } from '../../src/models/clip/encoder.ts'
import { type Component, loadComponent } from '../../src/models/component.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import {
  type HostTensor,
  readSafetensorsHeader,
  readTensor,
  writeSafetensors,
} from '../../src/runtime/weights/safetensors.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testDevice, testRecorder } from '../support/device.ts'
import { failure as failureOf } from '../support/failure.ts'
import { goldenFolder, loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const CASES = [
  ['text_clip_small', 'CLIPTextModel'],
  ['text_clip_small_projection', 'CLIPTextModelWithProjection'],
  ['text_clip_quick_gelu', 'CLIPTextModel'],
  ['text_clip_gelu_projection', 'CLIPTextModelWithProjection'],
  ['text_clip_eos_position', 'CLIPTextModel'],
] as const

describe('CLIP text encoder', () => {
  for (const [golden, className] of CASES) {
    it.skipIf(!goldenFolder(golden))(`gives the states of transformers: ${golden}`, async () => {
      const { config, weights } = await goldenComponent(className, golden)
      const io = loadGolden(golden)
      const { shape, data } = io['input.input_ids']
      const ids = Array.from(data, Number)
      const g = await testRecorder()
      const close = async (tensor: Tensor, name: string) => {
        const expected = io[`output.${name}`]
        expect([name, ...tensor.shape]).toEqual([name, ...expected.shape])
        expect([name, relativeL2(await g.read(tensor), expected.data as Float32Array)]).toEqual([
          name,
          expect.any(Number),
        ])
        expect(relativeL2(await g.read(tensor), expected.data as Float32Array)).toBeLessThan(2e-6)
      }
      const { hidden, last, pooled } = await clipTextEncoder(g, config, weights, ids, shape[0])
      await close(hidden, 'hidden_states.penultimate')
      await close(last, 'last_hidden_state')
      if (className === 'CLIPTextModel') await close(pooled, 'pooler_output')
      else await close(clipTextProjection(g, weights, pooled), 'text_embeds')
      const final = await clipTextEncoder(g, config, weights, ids, shape[0], 1)
      await close(final.hidden, 'hidden_states.final')
      g.reset()
      weights.free()
    })
  }
})

describe('its states', () => {
  let clip: Component<'CLIPTextModelWithProjection'>
  beforeAll(async () => {
    clip = await goldenComponent('CLIPTextModelWithProjection', 'text_clip_small_projection')
  })
  afterAll(() => clip.weights.free())

  interface Asked {
    batch?: number
    k?: number
    layers?: number
  }
  async function states(ids: number[], { batch = 1, k, layers = clip.config.layers }: Asked = {}) {
    const g = await testRecorder()
    const { hidden, last, pooled } = await clipTextEncoder(g, { ...clip.config, layers }, clip.weights, ids, batch, k)
    const values = { hidden: await g.read(hidden), last: await g.read(last), pooled: await g.read(pooled) }
    g.reset()
    return values
  }

  const random = (tokens: number) => Array.from({ length: tokens }, () => Math.floor(Math.random() * 40))

  it('of a token depend on none behind it', async () => {
    const { width } = clip.config
    const ids = random(9)
    const changed = ids.with(5, (ids[5] + 1) % 40)
    const [a, b] = [(await states(ids)).last, (await states(changed)).last]
    expect(b.slice(0, 5 * width)).toEqual(a.slice(0, 5 * width))
    for (let token = 5; token < 9; token++) {
      const row = (x: Float32Array) => x.slice(token * width, (token + 1) * width)
      expect(relativeL2(row(b), row(a))).toBeGreaterThan(1e-4)
    }
  })

  it.each([1, 2, 7, 11])('are the same in a batch and alone: %i tokens', async (tokens) => {
    const texts = [random(tokens), random(tokens), random(tokens)]
    const together = await states(texts.flat(), { batch: 3 })
    const alone = await Promise.all(texts.map((ids) => states(ids)))
    for (const part of ['hidden', 'last', 'pooled'] as const) {
      expect(
        relativeL2(
          together[part],
          alone.flatMap((state) => [...state[part]]),
        ),
      ).toBeLessThan(1e-6)
    }
  })

  it('hidden ones are those of an encoder of fewer layers', async () => {
    const ids = random(8)
    for (const k of [1, 2, 3]) {
      const fewer = await states(ids, { k: 1, layers: clip.config.layers - (k - 1) })
      expect((await states(ids, { k })).hidden).toEqual(fewer.hidden)
    }
    // All layers left out: the embeddings, which no layer changed.
    const { hidden } = await states([3], { k: clip.config.layers + 1 })
    const g = await testRecorder()
    const { weights } = clip
    const [word, place] = await Promise.all(
      ['token', 'position'].map((kind) => g.read(weights.tensor(`text_model.embeddings.${kind}_embedding.weight`))),
    )
    const { width } = clip.config
    expect(hidden).toEqual(Float32Array.from({ length: width }, (_, i) => Math.fround(word[3 * width + i] + place[i])))
    expect([hiddenOfSkip(), hiddenOfSkip(1)]).toEqual([2, 3])
  })

  it('are pooled at the first end, by either rule', () => {
    const rows = [5, 9, 9, 1, 9, 5, 5, 7, 1, 2, 3, 4]
    expect(endPositions(rows, 3, 2)).toEqual([1, 0, 3])
    expect(endPositions(rows, 3, 9)).toEqual([1, 0, 0])
    expect(endPositions(rows, 3, 7)).toEqual([0, 3, 0])
  })

  it('need tokens, places and layers that the encoder has', async () => {
    const failure = (ids: number[], asked?: Asked) => failureOf(states(ids, asked))
    expect((await failure([3, 40])).message).toContain("token id 40 is not one of the text encoder's 40")
    expect(await failure([3, -1])).toMatchObject({ kind: 'bad-argument' })
    expect((await failure(random(12))).message).toContain('from 1 to 11 tokens')
    expect(await failure(random(7), { batch: 2 })).toMatchObject({ kind: 'bad-argument' })
    expect(await failure([])).toMatchObject({ kind: 'bad-argument' })
    for (const k of [0, 5, 1.5]) expect((await failure([1], { k })).message).toContain('it has 3 layers')
  })
})

describe('its checkpoint', () => {
  const folder = goldenFolder('text_clip_small')!
  const config = new Uint8Array(readFileSync(join(folder, 'config.json')))

  /** Bytes of weights on the device, of the case's tensors under other names. */
  async function loaded(rename: (name: string) => string, more: Record<string, HostTensor> = {}): Promise<number> {
    const source = await openFolder(folder)
    const file = await readSafetensorsHeader(source, 'model.safetensors')
    const tensors: Record<string, HostTensor> = { ...more }
    for (const name of file.tensors.keys()) tensors[rename(name)] = await readTensor(source, file, name)
    await source.close()
    const files = new Map([
      ['config.json', config],
      ['model.safetensors', writeSafetensors(tensors)],
    ])
    const device = await testDevice()
    const before = device.weightBytes
    const { weights } = await loadComponent(device, 'CLIPTextModel', memorySource(files, 'clip'), '')
    const bytes = device.weightBytes - before
    weights.free()
    return bytes
  }

  it('has names with the prefix or without, and maybe the positions as a buffer', async () => {
    const ids = { dtype: 'I64', shape: [1, 9], data: new BigInt64Array(9) } as const
    const positions: HostTensor = { ...ids, shape: [...ids.shape] }
    const bytes = await loaded((name) => name)
    expect(bytes).toBeGreaterThan(0)
    expect(await loaded((name) => `text_model.${name}`)).toBe(bytes)
    expect(await loaded((name) => name, { 'embeddings.position_ids': positions })).toBe(bytes)
    expect(await loaded((name) => `text_model.${name}`, { 'text_model.embeddings.position_ids': positions })).toBe(
      bytes,
    )
  })

  it('of other names is refused by them', async () => {
    const error = await failureOf(loaded((name) => `vision_model.${name}`))
    expect(error.kind).toBe('corrupt')
    expect(error.message).toContain('unexpected (36): vision_model.embeddings.position_embedding.weight')
  })
})

describe('its config', () => {
  const least = { hidden_size: 16, num_attention_heads: 2 }

  it('has the defaults of transformers', () => {
    expect(clipTextConfig({})).toMatchObject({ width: 512, heads: 8, activation: 'quick_gelu', eos: 49407, eps: 1e-5 })
    expect(clipTextConfig({ ...least, hidden_act: 'gelu_new' }).activation).toBe('gelu_tanh')
  })

  it.each([
    [{ hidden_act: 'relu6' }, 'hidden_act is "relu6"'],
    [{ num_attention_heads: 3 }, 'hidden_size 16 is no multiple of 3'],
    [{ max_position_embeddings: 0 }, 'max_position_embeddings is 0'],
    [{ eos_token_id: [2] }, 'eos_token_id is [2]'],
  ])('%j is refused', (change, message) => {
    expect(() => clipTextConfig({ ...least, ...change })).toThrow(message)
  })
})
