import { DitError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { show } from '../show.ts'
import { DTYPE_BYTES, type Dtype, isDtype, type TensorData, toHost } from './dtypes.ts'
import { describePath, type Source } from './source.ts'

export { type Dtype, type TensorData, toFloat32 } from './dtypes.ts'
export { type HostTensor, writeSafetensors } from './safetensors_writer.ts'

/** The longest header that the reference reader takes, in bytes. */
const MAX_HEADER_BYTES = 100_000_000
/** Bytes of the little-endian header length before the header. */
const PREFIX_BYTES = 8

export interface TensorEntry {
  name: string
  dtype: Dtype
  shape: number[]
  /** Offset of the first byte, from the start of the file. */
  begin: number
  /** Length in bytes. */
  bytes: number
  /** Bytes in the file for each of these, where a file's blocks are decoded as they are read. Default 1. */
  inFile?: number
}

export interface SafetensorsFile {
  path: string
  tensors: Map<string, TensorEntry>
  metadata: Record<string, string>
}

/**
 * Reads and checks a safetensors header (format: huggingface/safetensors): it lies inside the file, every tensor has
 * a known dtype and a shape that matches its bytes, and the tensors fill the rest of the file without holes or overlap.
 * @throws DitError 'corrupt', or 'unsupported' for a dtype that webdit does not know
 */
export async function readSafetensorsHeader(source: Source, path: string): Promise<SafetensorsFile> {
  const where = describePath(source, path)
  const size = await source.size(path)
  if (size < PREFIX_BYTES) throw corrupt(where, `it has ${size} bytes, too few for a header`)
  const prefix = new Uint8Array(PREFIX_BYTES)
  await source.readInto(path, 0, prefix)
  const declared = new DataView(prefix.buffer).getBigUint64(0, true)
  const room = Math.min(size - PREFIX_BYTES, MAX_HEADER_BYTES)
  if (declared > BigInt(room)) {
    throw corrupt(where, `its header claims ${declared} bytes where at most ${room} are possible`)
  }
  const header = new Uint8Array(Number(declared))
  await source.readInto(path, PREFIX_BYTES, header)

  const parsed = parseJson(decodeUtf8(header, where), `the header of ${where}`, { uniqueKeys: true })
  if (!isRecord(parsed)) throw corrupt(where, 'its header is not a JSON object')
  const { __metadata__: metadata = {}, ...entries } = parsed
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(where, '__metadata__ is not a map from text to text')
  }
  const dataBegin = PREFIX_BYTES + header.byteLength
  const tensors = new Map<string, TensorEntry>()
  for (const [name, entry] of Object.entries(entries))
    tensors.set(name, checkEntry(name, entry, dataBegin, size, where))
  checkCoverage(tensors, dataBegin, size, where)
  return { path, tensors, metadata: metadata as Record<string, string> }
}

/**
 * One whole tensor on the host, for what is small; weights stream to the device instead.
 * F16 and BF16 come widened to Float32Array; `dtype` stays the stored one.
 */
export async function readTensor(
  source: Source,
  file: SafetensorsFile,
  name: string,
): Promise<{ dtype: Dtype; shape: number[]; data: TensorData }> {
  const entry = file.tensors.get(name)
  if (!entry) {
    throw new DitError('not-found', `there is no tensor ${show(name)} in ${describePath(source, file.path)}`)
  }
  const bytes = new Uint8Array(entry.bytes)
  await source.readInto(file.path, entry.begin, bytes)
  return { dtype: entry.dtype, shape: entry.shape, data: toHost(bytes, entry.dtype) }
}

function checkEntry(name: string, entry: unknown, dataBegin: number, size: number, where: string): TensorEntry {
  const tensor = `tensor ${show(name)}`
  if (!isRecord(entry)) throw corrupt(where, `${tensor} is not described by an object`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') throw corrupt(where, `${tensor} has no dtype`)
  if (!isDtype(dtype)) {
    throw new DitError(
      'unsupported',
      `${tensor} of ${where} has dtype ${show(dtype)}; known are ${Object.keys(DTYPE_BYTES).join(', ')}`,
      'Use a checkpoint stored as F32, F16 or BF16.',
    )
  }
  if (!isCounts(shape)) throw corrupt(where, `${tensor} has shape ${show(shape)}, not a list of whole numbers`)
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw corrupt(where, `${tensor} has data_offsets ${show(offsets)}, not [begin, end]`)
  }
  const [begin, end] = offsets
  if (begin > end || end > size - dataBegin) {
    throw corrupt(where, `${tensor} lies at bytes ${begin} to ${end} of ${size - dataBegin} bytes of data`)
  }
  let bytes: number = DTYPE_BYTES[dtype]
  for (const length of shape) bytes = checkedProduct(bytes, length, where, tensor)
  if (bytes !== end - begin) {
    throw corrupt(where, `${tensor}, ${dtype} of shape ${show(shape)}, takes ${bytes} bytes but has ${end - begin}`)
  }
  return { name, dtype, shape, begin: dataBegin + begin, bytes }
}

function checkedProduct(a: number, b: number, where: string, tensor: string): number {
  const product = a * b
  if (!Number.isSafeInteger(product)) throw corrupt(where, `${tensor} has a shape whose size overflows`)
  return product
}

/** The tensors, in order of their place, must follow each other from the header's end to the file's end. */
function checkCoverage(tensors: Map<string, TensorEntry>, dataBegin: number, size: number, where: string): void {
  const ordered = [...tensors.values()].sort((a, b) => a.begin - b.begin || a.bytes - b.bytes)
  let end = dataBegin
  for (const { name, begin, bytes } of ordered) {
    if (begin !== end) {
      const fault = begin < end ? 'overlaps the tensor before it' : `leaves ${begin - end} bytes unused before it`
      throw corrupt(where, `tensor ${show(name)} ${fault}`)
    }
    end += bytes
  }
  if (end !== size) throw corrupt(where, `${size - end} bytes at its end belong to no tensor`)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw corrupt(where, 'its header is not UTF-8 text', cause)
  }
}

function corrupt(where: string, fault: string, cause?: unknown): DitError {
  return new DitError('corrupt', `${where} is not a valid safetensors file: ${fault}`, 'Fetch the file again.', {
    cause,
  })
}
