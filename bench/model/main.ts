// npm run bench -- model --out FOLDER [--layers 28] [--heads 16] [--head_dim 72] [--sample_size 128]
// Writes a model folder for timing: a PixArt transformer of that size with random weights in float16 (by default the size of
// PixArt-Sigma XL at 1024), and the embedded model's other components. What it draws is noise; what it takes is real.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { NETWORKS } from '../../src/models/component.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors_writer.ts'

const EMBEDDED = process.env.WEBDIT_MODEL ?? fileURLToPath(new URL('../../../models/emoji-pixart/', import.meta.url))
/** Random values that all tensors repeat. */
const PATTERN = 1 << 16

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    layers: { type: 'string', default: '28' },
    heads: { type: 'string', default: '16' },
    head_dim: { type: 'string', default: '72' },
    sample_size: { type: 'string', default: '128' },
  },
  args: process.argv.slice(2).filter((argument) => argument !== 'model'),
})
if (!values.out) {
  console.error('--out FOLDER: where to write the model')
  process.exit(2)
}
const [layers, heads, headDim, sampleSize] = [values.layers, values.heads, values.head_dim, values.sample_size].map(
  Number,
)
const { out } = values
mkdirSync(join(out, 'transformer'), { recursive: true })
for (const part of ['model_index.json', 'scheduler', 'text_encoder', 'tokenizer', 'vae']) {
  cpSync(join(EMBEDDED, part), join(out, part), { recursive: true })
}
const config = {
  ...JSON.parse(readFileSync(join(EMBEDDED, 'transformer/config.json'), 'utf8')),
  num_layers: layers,
  num_attention_heads: heads,
  attention_head_dim: headDim,
  cross_attention_dim: heads * headDim,
  sample_size: sampleSize,
}
writeFileSync(join(out, 'transformer/config.json'), JSON.stringify(config, null, 2))
const network = NETWORKS.PixArtTransformer2DModel
const tensors: Record<string, HostTensor> = {}
for (const [name, { shape }] of network.parameters(network.config(config)).all) {
  const size = shape.reduce((a, b) => a * b, 1)
  // Small enough that signals keep their size through all layers.
  tensors[name] = {
    dtype: 'F16',
    shape: [...shape],
    data: halves(size, shape.length > 1 ? 0.5 / Math.sqrt(size / shape[0]) : 0.05),
  }
}
const file = writeSafetensors(tensors)
writeFileSync(join(out, 'transformer', `${network.stem}.safetensors`), file)
console.log(
  `${out}: ${layers} layers of ${heads} heads of ${headDim}, ${(file.byteLength / 1e6).toFixed(0)} MB of weights`,
)

/** Bits of f16 in -amplitude…amplitude: a random significand, and one exponent. */
function halves(count: number, amplitude: number): Uint16Array<ArrayBuffer> {
  const exponent = Math.max(1, 15 + Math.floor(Math.log2(amplitude)))
  let state = 1 + (count % 1000)
  const pattern = Uint16Array.from({ length: Math.min(count, PATTERN) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return ((state >>> 31) << 15) | (exponent << 10) | ((state >>> 12) & 0x3ff)
  })
  const data = new Uint16Array(count)
  for (let at = 0; at < count; at += pattern.length) data.set(pattern.subarray(0, count - at), at)
  return data
}
