import { DitError } from '../../errors.ts'
import { show } from '../../show.ts'
import { DTYPE_BYTES } from '../dtypes.ts'
import type { SourceFile } from '../source.ts'
import { Cursor } from './cursor.ts'
import { type MetadataValue, readMetadata, readName } from './metadata.ts'
import { type GgufType, ggufType } from './types.ts'

// GGUF, versions 2 and 3 (ggml's docs/gguf.md). Not by @huggingface/gguf 0.4.6: it reads addresses and paths, where webdit has
// sources that may be neither, keeps a vocabulary of 32 000 words, and reads zeros where a file ends inside its header.

/** What tensors are aligned to unless the header says otherwise, in bytes. */
const ALIGNMENT = 32

const MAX_DIMENSIONS = 4

/** What of the header is used: whose weights these are, where they are, and the shapes that ComfyUI-GGUF folded. */
const ARCHITECTURE = 'general.architecture'
const ALIGN = 'general.alignment'
const SPLIT = 'split.count'
const ORIGINAL_SHAPE = 'comfy.gguf.orig_shape.'

export interface GgufTensor {
  readonly name: string
  readonly type: GgufType
  /** Slowest dimension first, as of safetensors; ggml writes them the other way round. */
  readonly shape: readonly number[]
  /** Offset of the first byte, from the start of the file. */
  readonly begin: number
  /** Length in the file, in bytes. */
  readonly bytes: number
}

export interface GgufHeader {
  /** 'flux', 'sd3', 't5encoder'; files of stable-diffusion.cpp have none. */
  readonly architecture: string | undefined
  readonly tensors: ReadonlyMap<string, GgufTensor>
  /** Where tensors begin, in bytes from the start of the file. */
  readonly dataBegin: number
}

/**
 * Reads and checks the header of a GGUF file: every tensor has a type that webdit reads, consists of whole blocks and lies in
 * the file, right behind the one before it.
 *
 * @throws DitError 'corrupt', 'unsupported'
 */
export async function readGgufHeader(file: SourceFile): Promise<GgufHeader> {
  const cursor = new Cursor(file, await file.source.size(file.path))
  await cursor.need(Math.min(4, cursor.size))
  const magic = cursor.bytes(Math.min(4, cursor.size))
  if (String.fromCharCode(...magic) !== 'GGUF') {
    throw cursor.fault(`it begins with ${show(String.fromCharCode(...magic))}, not with "GGUF"`)
  }
  await cursor.need(20)
  checkVersion(cursor.u32(), cursor.where)
  const [tensorCount, keyCount] = [cursor.u64(), cursor.u64()]
  const metadata = await readMetadata(
    cursor,
    keyCount,
    (key) => [ARCHITECTURE, ALIGN, SPLIT].includes(key) || key.startsWith(ORIGINAL_SHAPE),
  )
  checkWhole(metadata.get(SPLIT), cursor.where)
  const infos = await readInfos(cursor, tensorCount)
  const alignment = metadata.get(ALIGN) ?? ALIGNMENT
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 2 ** 20 || (alignment & (alignment - 1)) !== 0) {
    throw cursor.fault(`${ALIGN} is ${show(alignment)}, expected a power of two`)
  }
  const dataBegin = aligned(cursor.position, alignment)
  const tensors = placed(cursor, infos, dataBegin, alignment, metadata)
  const architecture = metadata.get(ARCHITECTURE)
  if (architecture !== undefined && typeof architecture !== 'string') {
    throw cursor.fault(`${ARCHITECTURE} is ${show(architecture)}, expected a text`)
  }
  return { architecture, tensors, dataBegin }
}

const aligned = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment

function checkVersion(version: number, where: string): void {
  if (version === 2 || version === 3) return
  const swapped = version !== 0 && (version & 0xffff) === 0
  throw new DitError(
    'unsupported',
    swapped ? `${where} is a GGUF file in big-endian byte order` : `${where} is of GGUF version ${version}`,
    'Take one in little-endian byte order of GGUF version 2 or 3, which converters have written since 2023.',
  )
}

function checkWhole(parts: MetadataValue | undefined, where: string): void {
  if (parts === undefined || parts === 0 || parts === 1) return
  throw new DitError(
    'unsupported',
    `${where} is one of ${show(parts)} files that a model was split into`,
    'Merge them: llama-gguf-split --merge FIRST.gguf WHOLE.gguf.',
  )
}

interface TensorInfo extends Omit<GgufTensor, 'begin' | 'bytes'> {
  readonly offset: number
}

async function readInfos(cursor: Cursor, count: number): Promise<TensorInfo[]> {
  const infos: TensorInfo[] = []
  for (let i = 0; i < count; i++) {
    const name = await readName(cursor)
    await cursor.need(4)
    const dimensions = cursor.u32()
    if (dimensions > MAX_DIMENSIONS) throw cursor.fault(`tensor ${show(name)} has ${dimensions} dimensions`)
    await cursor.need(8 * dimensions + 12)
    const shape = Array.from({ length: dimensions }, () => cursor.u64()).reverse()
    const type = ggufType(cursor.u32(), `tensor ${show(name)} of ${cursor.where}`)
    infos.push({ name, type, shape, offset: cursor.u64() })
  }
  return infos
}

/** Tensors stand in the order of the header, each aligned, as ggml itself demands it. */
function placed(
  cursor: Cursor,
  infos: readonly TensorInfo[],
  dataBegin: number,
  alignment: number,
  metadata: ReadonlyMap<string, MetadataValue>,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>()
  let end = 0
  for (const { name, type, shape, offset } of infos) {
    if (tensors.has(name)) throw cursor.fault(`it has tensor ${show(name)} twice`)
    if (offset !== end) throw cursor.fault(`tensor ${show(name)} is at byte ${offset} of its data, expected ${end}`)
    const bytes = bytesOf(cursor, name, type, shape)
    const original = originalShape(cursor, name, shape, metadata.get(ORIGINAL_SHAPE + name))
    tensors.set(name, { name, type, shape: original, begin: dataBegin + offset, bytes })
    if (dataBegin + offset + bytes > cursor.size) {
      throw cursor.fault(
        `tensor ${show(name)} ends at byte ${dataBegin + offset + bytes}, and the file at ${cursor.size}`,
      )
    }
    end = aligned(offset + bytes, alignment)
  }
  const rest = cursor.size - dataBegin - end
  if (rest > 0) throw cursor.fault(`${rest} bytes at its end belong to no tensor`)
  return tensors
}

const valuesOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1)

function bytesOf(cursor: Cursor, name: string, type: GgufType, shape: readonly number[]): number {
  const values = valuesOf(shape)
  if (values === 0 || !Number.isSafeInteger(values)) {
    throw cursor.fault(`tensor ${show(name)} has shape ${show(shape)}`)
  }
  if ('dtype' in type) return values * DTYPE_BYTES[type.dtype]
  const { blocks } = type
  if ((shape.at(-1) ?? 1) % blocks.values !== 0) {
    throw cursor.fault(
      `tensor ${show(name)} of shape ${show(shape)} is ${type.name}, whose rows are blocks of ${blocks.values}`,
    )
  }
  return (values / blocks.values) * blocks.bytes
}

function originalShape(
  cursor: Cursor,
  name: string,
  shape: readonly number[],
  original: MetadataValue | undefined,
): readonly number[] {
  if (original === undefined) return shape
  const fits =
    typeof original === 'object' && original.every((length) => length > 0) && valuesOf(original) === valuesOf(shape)
  if (fits) return original
  throw cursor.fault(`tensor ${show(name)} of shape ${show(shape)} is said to have been ${show(original)}`)
}
