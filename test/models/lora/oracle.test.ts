import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadSafetensors } from '../../support/golden_io.ts'
import { type Adapter, adaptedOutput, LORAS, leading } from '../../support/lora.ts'
import { relativeL2 } from '../../support/numbers.ts'

type Case = [family: string, golden: string, output: string, adapters: Adapter[], folder?: string]

const one = (name: string): Adapter[] => [[name, 1]]

/** In the styles that files are published in; two adapters of a network together, one of them away from what it learned. */
const CASES: Case[] = [
  ['flux', 'transformer_flux_small', 'peft', one('flux/peft')],
  ['flux', 'transformer_flux_small', 'kohya', one('flux/kohya')],
  ['flux', 'transformer_flux_small', 'xlabs', one('flux/xlabs')],
  [
    'flux',
    'transformer_flux_small',
    'peft*0.7-xlabs*0.4',
    [
      ['flux/peft', 0.7],
      ['flux/xlabs', -0.4],
    ],
  ],
  ['sd3', 'transformer_sd3_small', 'peft', one('sd3/peft')],
  ['sd3', 'transformer_sd3_small', 'kohya', one('sd3/kohya')],
  ['hunyuan', 'transformer_hunyuan_small', 'peft', one('hunyuan/peft')],
  ['hunyuan', 'transformer_hunyuan_small', 'kohya', one('hunyuan/kohya')],
  [
    'hunyuan',
    'transformer_hunyuan_small',
    'peft*0.5+kohya*1.5',
    [
      ['hunyuan/peft', 0.5],
      ['hunyuan/kohya', 1.5],
    ],
  ],
  ['pixart', 'transformer_pixart_alpha', 'adapter_model', one('pixart/adapter_model')],
  ['pixart', 'transformer_pixart_alpha', 'kohya', one('pixart/kohya')],
  ['clip', 'text_clip_small', 'peft', one('clip/peft'), 'text_encoder'],
  ['clip', 'text_clip_small', 'kohya', one('clip/kohya'), 'text_encoder'],
  ['t5', 'text_t5_gated', 'peft', one('t5/peft'), 'text_encoder_2'],
  ['t5', 'text_t5_gated', 'kohya', one('t5/kohya'), 'text_encoder_2'],
]

describe('a network with adapters', () => {
  it.each(CASES)('gives what peft gives: %s, %s, %s', async (family, golden, output, adapters, folder) => {
    const expected = loadSafetensors(join(LORAS, family, 'expected.safetensors'))[output]
    const actual = await adaptedOutput(golden, adapters, folder)
    const error = relativeL2(leading(actual, expected.shape), expected.data as Float32Array)
    if (process.env.SHOW_ERRORS) console.log(family, output, error)
    expect(error).toBeLessThan(1e-5)
  })
})
