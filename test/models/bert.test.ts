import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bertConfig } from '../../src/models/bert/config.ts'
import { type BertInputs, bertEncoder, bertPooler } from '../../src/models/bert/encoder.ts'
import type { Component } from '../../src/models/component.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { failure as failureOf } from '../support/failure.ts'
import { goldenFolder, loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

describe('BERT', () => {
  for (const golden of ['text_bert_small', 'text_bert']) {
    it.skipIf(!goldenFolder(golden))(`gives the states of transformers: ${golden}`, async () => {
      const { config, weights } = await goldenComponent('BertModel', golden)
      const io = loadGolden(golden)
      const input = (name: string) => io[`input.${name}`] && Array.from(io[`input.${name}`].data, Number)
      const g = await testRecorder()
      const hidden = await bertEncoder(g, config, weights, {
        ids: input('input_ids'),
        batch: io['input.input_ids'].shape[0],
        mask: input('attention_mask'),
        types: input('token_type_ids'),
      })
      for (const [name, tensor] of [
        ['last_hidden_state', hidden],
        ['pooler_output', bertPooler(g, weights, hidden)],
      ] as const) {
        const expected = io[`output.${name}`]
        expect([name, ...tensor.shape]).toEqual([name, ...expected.shape])
        expect(relativeL2(await g.read(tensor), expected.data as Float32Array)).toBeLessThan(2e-6)
      }
      g.reset()
      weights.free()
    })
  }
})

describe('its states', () => {
  let bert: Component<'BertModel'>
  beforeAll(async () => {
    bert = await goldenComponent('BertModel', 'text_bert_small')
  })
  afterAll(() => bert.weights.free())

  async function states(inputs: Omit<BertInputs, 'batch'> & { batch?: number }): Promise<Float32Array> {
    const g = await testRecorder()
    const values = await g.read(await bertEncoder(g, bert.config, bert.weights, { batch: 1, ...inputs }))
    g.reset()
    return values
  }

  const random = (tokens: number) => Array.from({ length: tokens }, () => Math.floor(Math.random() * 41))

  it('of text do not depend on what stands in padding, and are those without it', async () => {
    const ids = random(5)
    const mask = [1, 1, 1, 1, 1, 0, 0]
    const padded = await states({ ids: [...ids, 3, 3], mask })
    const other = await states({ ids: [...ids, 8, 20], mask })
    const text = (x: Float32Array) => x.slice(0, 5 * bert.config.width)
    expect(text(other)).toEqual(text(padded))
    expect(relativeL2(text(padded), await states({ ids }))).toBeLessThan(1e-6)
    expect(relativeL2(text(await states({ ids: [...ids, 3, 3] })), text(padded))).toBeGreaterThan(1e-3)
  })

  it('depend on every token, before and behind, and on its kind', async () => {
    const ids = random(6)
    const whole = await states({ ids })
    expect(await states({ ids, mask: new Array(6).fill(1), types: new Array(6).fill(0) })).toEqual(whole)
    for (const other of [states({ ids: ids.with(5, (ids[5] + 1) % 41) }), states({ ids, types: [0, 0, 0, 0, 0, 2] })]) {
      const first = (x: Float32Array) => x.slice(0, bert.config.width)
      expect(relativeL2(first(await other), first(whole))).toBeGreaterThan(1e-4)
    }
  })

  it.each([1, 2, 13])('are the same in a batch and alone: %i tokens', async (tokens) => {
    const texts = [random(tokens), random(tokens)]
    const masks = [new Array(tokens).fill(1), Array.from({ length: tokens }, (_, i) => Number(i < (tokens + 1) / 2))]
    const together = await states({ ids: texts.flat(), mask: masks.flat(), batch: 2 })
    const alone = await Promise.all(texts.map((ids, i) => states({ ids, mask: masks[i] })))
    expect(
      relativeL2(
        together,
        alone.flatMap((state) => [...state]),
      ),
    ).toBeLessThan(1e-6)
  })

  it('need tokens and kinds that the encoder has', async () => {
    const failure = (inputs: Omit<BertInputs, 'batch'>) => failureOf(states(inputs))
    expect((await failure({ ids: [41] })).message).toContain("token id 41 is not one of the text encoder's 41")
    expect((await failure({ ids: [1, 2], types: [0, 3] })).message).toContain('token type 3 is not one of')
    expect((await failure({ ids: random(14) })).message).toContain('from 1 to 13 tokens')
    expect(await failure({ ids: [1, 2], mask: [1] })).toMatchObject({ kind: 'bad-argument' })
    expect(await failure({ ids: [1, 2], types: [1] })).toMatchObject({ kind: 'bad-argument' })
  })
})

describe('its config', () => {
  it('has the defaults of transformers', () => {
    expect(bertConfig({})).toMatchObject({
      width: 768,
      heads: 12,
      layers: 12,
      hidden: 3072,
      positions: 512,
      eps: 1e-12,
    })
  })

  it.each([
    [{ hidden_act: 'relu' }, 'hidden_act is "relu"'],
    [{ position_embedding_type: 'relative_key' }, 'position_embedding_type is "relative_key"'],
    [{ is_decoder: true }, 'is_decoder is on'],
    [{ num_attention_heads: 7 }, 'hidden_size 768 is no multiple of 7'],
  ])('%j is refused', (change, message) => {
    expect(() => bertConfig(change)).toThrow(message)
  })
})
