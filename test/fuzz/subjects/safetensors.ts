import { openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { readSafetensorsHeader, readTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors.ts'
import { mutateFile } from '../fixtures.ts'
import type { Subject } from './subject.ts'

const floats = (count: number, from = 0) => Float32Array.from({ length: count }, (_, i) => from + i / 8)
const SMALL = writeSafetensors(
  {
    'blocks.0.attn.weight': { dtype: 'F32', shape: [3, 4], data: floats(12) },
    'blocks.0.attn.bias': { dtype: 'F16', shape: [4], data: new Uint16Array(4).fill(0x3c00) },
    half: { dtype: 'BF16', shape: [2, 2], data: new Uint16Array(4).fill(0x3f80) },
    ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) },
    wide: { dtype: 'F64', shape: [1, 2], data: Float64Array.of(1, 2) },
    flag: { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) },
    none: { dtype: 'U8', shape: [0, 7], data: new Uint8Array() },
  },
  { format: 'pt' },
)

/** One file: its header and every tensor's values. */
export const safetensors: Subject = {
  name: 'safetensors',
  variants: ['small'],
  files: () => new Map([['model.safetensors', SMALL]]),
  mutate: mutateFile,
  async run(files) {
    const source = memorySource(files)
    const file = await readSafetensorsHeader(source, 'model.safetensors')
    const bytes = files.get('model.safetensors') as Uint8Array
    const tensors: unknown[] = []
    let covered = 0
    for (const { name, begin, bytes: length } of [...file.tensors.values()].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const { dtype, shape, data } = await readTensor(source, file, name)
      const elements = shape.reduce((product, size) => product * size, 1)
      if (data.length !== elements) throw new Error(`${name}: ${data.length} values for shape [${shape}]`)
      // F16 and BF16 come widened; what is compared is what the file holds.
      tensors.push([name, dtype, shape, bytes.slice(begin, begin + length)])
      covered += length
    }
    const headerEnd = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
    if (headerEnd + covered !== bytes.length) throw new Error(`${covered} bytes read of ${bytes.length - headerEnd}`)
    return tensors
  },
}

const SHARDS = {
  'model-00001-of-00002.safetensors': { a: floats(6), b: floats(2, 9) },
  'model-00002-of-00002.safetensors': { c: floats(3, -4) },
}
const INDEX = {
  metadata: { total_size: 44 },
  weight_map: Object.fromEntries(
    Object.entries(SHARDS).flatMap(([file, tensors]) => Object.keys(tensors).map((name) => [name, file])),
  ),
}

/** Shards and their index. */
export const shards: Subject = {
  name: 'shards',
  variants: ['plain', 'fp16'],
  files: (variant) =>
    new Map([
      [
        `unet/model.safetensors.index${variant === 'fp16' ? '.fp16' : ''}.json`,
        new TextEncoder().encode(JSON.stringify(INDEX, undefined, 2)),
      ],
      ...Object.entries(SHARDS).map(([file, tensors]): [string, Uint8Array] => [
        `unet/${file}`,
        writeSafetensors(
          Object.fromEntries(
            Object.entries(tensors).map(([name, data]) => [name, { dtype: 'F32', shape: [data.length], data }]),
          ),
        ),
      ]),
    ]),
  mutate: mutateFile,
  async run(files) {
    const checkpoint = await openCheckpoint(memorySource(files), 'unet', 'model')
    return Promise.all(
      checkpoint.names().map(async (name) => {
        const { shape, data } = await checkpoint.read(name)
        return [name, checkpoint.entry(name).path, shape, new Uint8Array(data.buffer)]
      }),
    )
  },
}
