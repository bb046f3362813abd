import { openWeightsFile } from '../../../src/runtime/weights/checkpoint.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { writeGguf } from '../../support/gguf.ts'
import { type GgufParts, mutateGguf } from '../mutations/gguf.ts'
import type { Subject } from './subject.ts'

const bytes = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 37) % 61)

/** A tensor of each kind of type: plain ones, small blocks and large ones. */
const SMALL: GgufParts = {
  metadata: {
    'general.architecture': 'flux',
    'tokenizer.ggml.tokens': ['a', 'word', ''],
    'tokenizer.ggml.token_type': [1, 1, 3],
    'split.count': 1,
    'comfy.gguf.orig_shape.q8': [3, 2, 16],
  },
  tensors: {
    f32: { type: 0, shape: [2, 3], data: bytes(24) },
    bf16: { type: 30, shape: [5], data: bytes(10) },
    q8: { type: 8, shape: [3, 32], data: bytes(3 * 34) },
    q5: { type: 7, shape: [2, 64], data: bytes(4 * 24) },
    q4k: { type: 12, shape: [1, 256], data: bytes(144) },
  },
}

/** A GGUF file: what it says it is of, and every tensor's values. */
export const gguf: Subject = {
  name: 'gguf',
  variants: ['small'],
  files: () => new Map([['model.gguf', writeGguf(SMALL.metadata, SMALL.tensors)]]),
  mutate: (r) => mutateGguf(r, SMALL),
  async run(files) {
    const checkpoint = await openWeightsFile({ source: memorySource(files), path: 'model.gguf' })
    const tensors: unknown[] = []
    for (const name of checkpoint.names()) {
      const { shape, data } = await checkpoint.read(name)
      const elements = shape.reduce((product, size) => product * size, 1)
      if (data.length !== elements) throw new Error(`${name}: ${data.length} values for shape [${shape}]`)
      // Scales may be anything: their bits are compared.
      tensors.push([name, shape, new Uint8Array(data.buffer)])
    }
    return [checkpoint.gguf?.architecture ?? 'none', tensors]
  },
}
