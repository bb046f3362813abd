import { DitError } from '../../errors.ts'
import { show } from '../../show.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { toHost } from '../dtypes.ts'
import type { TensorEntry } from '../safetensors.ts'
import { describePath, type SourceFile } from '../source.ts'
import type { BlockFormat } from './blocks.ts'
import { type GgufTensor, readGgufHeader } from './header.ts'

/** Values decoded at once: they stay in a core's cache until they are where they belong. */
const AT_ONCE = 2 ** 14

/** Bytes of a decoded value. */
const F32 = 4

/** By its name. */
export const isGgufFile = (path: string): boolean => path.endsWith('.gguf')

/**
 * The tensors of a GGUF file. Those in blocks are to everybody F32: blocks are decoded as they are read, on the host, so that
 * every device and every rank gets the values that ggml itself gets, bit for bit, whatever its own products round.
 *
 * @throws DitError 'not-found', 'corrupt', 'unsupported'
 */
export async function openGgufFile(file: SourceFile): Promise<Checkpoint> {
  const { source, path } = file
  const where = describePath(source, path)
  const { architecture, tensors } = await readGgufHeader(file)

  function tensorOf(name: string): GgufTensor {
    const tensor = tensors.get(name)
    if (tensor) return tensor
    throw new DitError(
      'not-found',
      `the weights in ${where} have no tensor ${show(name)}`,
      'Check that config.json and the weights are of the same model.',
    )
  }

  async function readInto(name: string, offset: number, target: Uint8Array): Promise<void> {
    const { type, begin } = tensorOf(name)
    if ('dtype' in type) return source.readInto(path, begin + offset, target)
    if (source.headersOnly) return
    const { values, bytes } = type.blocks
    const first = Math.floor(offset / F32 / values)
    const end = Math.ceil((offset + target.byteLength) / F32 / values)
    const blocks = new Uint8Array((end - first) * bytes)
    await source.readInto(path, begin + first * bytes, blocks)
    decode(type.blocks, blocks, target, first * values * F32 - offset)
  }

  return {
    source,
    where,
    gguf: { architecture },
    names: () => [...tensors.keys()].sort(),
    has: (name) => tensors.has(name),
    entry: (name) => ({ path, tensor: entryOf(tensorOf(name)) }),
    readInto,
    async read(name) {
      const { shape, bytes, dtype } = entryOf(tensorOf(name))
      const stored = new Uint8Array(bytes)
      await readInto(name, 0, stored)
      return { shape, data: toHost(stored, dtype) }
    },
  }
}

function entryOf({ name, type, shape, begin, bytes }: GgufTensor): TensorEntry {
  const common = { name, shape: [...shape], begin }
  if ('dtype' in type) return { ...common, dtype: type.dtype, bytes }
  const { blocks } = type
  const decoded = blocks.values * F32
  return { ...common, dtype: 'F32', bytes: (bytes / blocks.bytes) * decoded, inFile: blocks.bytes / decoded }
}

/** Puts what blocks decode to into `target`, where it begins at byte `at`, which may be before it; what is outside is left. */
function decode(format: BlockFormat, blocks: Uint8Array, target: Uint8Array, at: number): void {
  const together = Math.floor(AT_ONCE / format.values)
  const values = new Float32Array(together * format.values)
  const bytes = new Uint8Array(values.buffer)
  for (let from = 0; from < blocks.length; from += together * format.bytes) {
    const some = blocks.subarray(from, from + together * format.bytes)
    format.decode(some, values)
    const begin = at + (from / format.bytes) * format.values * F32
    const length = (some.length / format.bytes) * format.values * F32
    const skipped = Math.max(0, -begin)
    target.set(bytes.subarray(skipped, Math.min(length, target.byteLength - begin)), begin + skipped)
  }
}
