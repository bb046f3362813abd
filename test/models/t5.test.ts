import { describe, expect, it } from 'vitest'
import { t5Encoder } from '../../src/models/t5/encoder.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

describe('T5 encoder', () => {
  it.each([
    ['text_t5_gated', 'io.safetensors'],
    ['text_t5_gated', 'io_no_mask.safetensors'],
    ['text_t5_bf16', 'io.safetensors'],
    ['text_t5_bf16', 'io_no_mask.safetensors'],
  ])('gives the hidden states of transformers: %s, %s', async (golden, file) => {
    const { config, weights } = await goldenComponent('T5EncoderModel', golden)
    const io = loadGolden(golden, file)
    const g = await testRecorder()
    const ids = Array.from(io['input.input_ids'].data, Number)
    const mask = io['input.attention_mask'] && Array.from(io['input.attention_mask'].data, Number)
    const out = await g.scope(() => t5Encoder(g, config, weights, ids, io['input.input_ids'].shape[0], mask))
    const expected = io['output.last_hidden_state']
    expect(out.shape).toEqual(expected.shape)
    expect(relativeL2(await g.read(out), expected.data as Float32Array)).toBeLessThan(1e-5)
    g.reset()
    weights.free()
  })
})
