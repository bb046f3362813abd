import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the golden cases that tests rely on. */
export const GOLDEN = fileURLToPath(new URL('../fixtures/golden/', import.meta.url))

/** All golden cases; a copy of the repository alone has only those above. */
export const SHARED = fileURLToPath(new URL('../../../shared/golden/', import.meta.url))

/** Where a case is: among those that tests rely on, or among all, if they are there. */
export const goldenFolder = (caseName: string): string | undefined =>
  [GOLDEN, SHARED].map((root) => join(root, caseName)).find((folder) => existsSync(folder))

type GoldenData = Float32Array | BigInt64Array | Int32Array | Uint8Array

export interface GoldenTensor {
  /** The dtype in the file; F16 and BF16 data are widened exactly to float32, F64 is rounded to it. */
  dtype: string
  shape: number[]
  data: GoldenData
}

/** All tensors of a safetensors file given by its path. A reader for trusted fixtures: it checks nothing. */
export function loadSafetensors(path: string): Record<string, GoldenTensor> {
  const file = readFileSync(path)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const headerLength = Number(view.getBigUint64(0, true))
  const header = JSON.parse(file.subarray(8, 8 + headerLength).toString('utf8'))
  const tensors: Record<string, GoldenTensor> = {}
  for (const [name, entry] of Object.entries<{ dtype: string; shape: number[]; data_offsets: number[] }>(header)) {
    if (name === '__metadata__') continue
    const [begin, end] = entry.data_offsets
    // Copied, so that typed arrays are aligned.
    const bytes = new Uint8Array(file.subarray(8 + headerLength + begin, 8 + headerLength + end))
    tensors[name] = { dtype: entry.dtype, shape: entry.shape, data: widen(entry.dtype, bytes, name) }
  }
  return tensors
}

/** All tensors of `ioFile` of one golden case. */
export function loadGolden(caseName: string, ioFile = 'io.safetensors'): Record<string, GoldenTensor> {
  return loadSafetensors(join(goldenFolder(caseName) ?? GOLDEN, ioFile))
}

/** A JSON file of one golden case; the literals Infinity and NaN, which Python writes, become null. */
// biome-ignore lint/suspicious/noExplicitAny: fixtures have as many shapes as cases
export function loadGoldenJson(caseName: string, file = 'meta.json'): any {
  const text = readFileSync(join(GOLDEN, caseName, file), 'utf8')
  return JSON.parse(text.replace(/([:,[]\s*)(-?Infinity|NaN)\b/g, '$1null'))
}

function widen(dtype: string, bytes: Uint8Array, name: string): GoldenData {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer)
    case 'F64':
      return Float32Array.from(new Float64Array(bytes.buffer))
    case 'I64':
      return new BigInt64Array(bytes.buffer)
    case 'I32':
      return new Int32Array(bytes.buffer)
    case 'U8':
    case 'BOOL':
      return bytes
    case 'F16':
      return Float32Array.from(new Uint16Array(bytes.buffer), halfToFloat)
    case 'BF16': {
      const bits = Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16)
      return new Float32Array(bits.buffer)
    }
    default:
      throw new Error(`${name}: dtype ${dtype} is not read here`)
  }
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024))
}
