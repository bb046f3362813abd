// CLIP's and BERT's states in the f16 tier, against those of transformers in float32.
import { bertEncoder, bertPooler } from '../../../../src/models/bert/encoder.ts'
import { clipTextEncoder, clipTextProjection } from '../../../../src/models/clip/encoder.ts'
import type { Device } from '../../../../src/runtime/device.ts'
import { Recorder } from '../../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../../src/runtime/tensor.ts'
import { goldenComponent } from '../../../support/checkpoint.ts'
import { loadGolden } from '../../../support/golden_io.ts'
import { relativeL2 } from '../../../support/numbers.ts'
import type { Result } from './check.ts'

/** What transformers 5.18 itself loses in float16 (torch 2.13 on a CPU), by case and output. */
const LOST: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  text_bert_small: { last_hidden_state: 1.07e-3, pooler_output: 1.67e-3 },
  text_clip_small: { last_hidden_state: 1.24e-3, 'hidden_states.penultimate': 8.12e-4, pooler_output: 1.07e-3 },
  text_clip_small_projection: {
    last_hidden_state: 1.21e-3,
    'hidden_states.penultimate': 9.2e-4,
    text_embeds: 9.48e-4,
  },
}

export async function* textEncoders(device: Device): AsyncGenerator<Result> {
  for (const [golden, outputs] of Object.entries(LOST)) {
    const io = loadGolden(golden)
    const g = new Recorder(device)
    const input = (name: string) => Array.from(io[`input.${name}`].data, Number)
    const [ids, batch] = [input('input_ids'), io['input.input_ids'].shape[0]]
    const states = golden === 'text_bert_small' ? await bert() : await clip()
    for (const [name, lost] of Object.entries(outputs)) {
      const expected = io[`output.${name}`].data as Float32Array
      yield { name: `${golden}: ${name}`, error: relativeL2(await g.read(states[name]), expected), limit: lost }
    }
    g.reset()

    async function bert(): Promise<Record<string, Tensor>> {
      const { config, weights } = await goldenComponent('BertModel', golden, device)
      const inputs = { ids, batch, mask: input('attention_mask'), types: input('token_type_ids') }
      const hidden = await bertEncoder(g, config, weights, inputs)
      return { last_hidden_state: hidden, pooler_output: bertPooler(g, weights, hidden) }
    }

    async function clip(): Promise<Record<string, Tensor>> {
      const projected = golden.endsWith('_projection')
      const className = projected ? 'CLIPTextModelWithProjection' : 'CLIPTextModel'
      const { config, weights } = await goldenComponent(className, golden, device)
      const { hidden, last, pooled } = await clipTextEncoder(g, config, weights, ids, batch)
      const embeds: Record<string, Tensor> = projected
        ? { text_embeds: clipTextProjection(g, weights, pooled) }
        : { pooler_output: pooled }
      return { last_hidden_state: last, 'hidden_states.penultimate': hidden, ...embeds }
    }
  }
}
