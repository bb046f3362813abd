import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type BlockFormat, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 } from '../../../../src/runtime/weights/gguf/blocks.ts'
import { Q2_K, Q3_K, Q4_K, Q5_K, Q6_K } from '../../../../src/runtime/weights/gguf/k_blocks.ts'

const GGML = JSON.parse(readFileSync(new URL('../../../fixtures/gguf/blocks.json', import.meta.url), 'utf8'))

const FORMATS: [string, BlockFormat][] = Object.entries({ Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K })

it.each(FORMATS)('%s decodes as ggml’s own package does it, bit for bit', (name, { values, bytes, decode }) => {
  const blocks = Uint8Array.from(Buffer.from(GGML[name].blocks, 'hex'))
  const decoded = new Float32Array((blocks.length / bytes) * values)
  decode(blocks, decoded)
  expect(Buffer.from(decoded.buffer).toString('hex')).toBe(GGML[name].dequantized)
})
