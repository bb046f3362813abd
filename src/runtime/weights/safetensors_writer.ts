import { DitError } from '../errors.ts'
import { DTYPE_BYTES, type Dtype, STORED_AS, type TensorData } from './dtypes.ts'

export interface HostTensor {
  dtype: Dtype
  shape: number[]
  /** Row-major elements; for F16, BF16 and F8 their raw bits. */
  data: TensorData
}

/**
 * A whole safetensors file, laid out as the reference writer does: widest dtypes first, then by name, so that every
 * tensor is aligned to its elements; the header padded with spaces to 8 bytes.
 * @throws DitError 'bad-argument' where data does not match its dtype or shape
 */
export function writeSafetensors(
  tensors: Record<string, HostTensor>,
  metadata?: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  const ordered = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (nameA < nameB ? -1 : 1),
  )
  const entries: [string, unknown][] = metadata ? [['__metadata__', metadata]] : []
  let end = 0
  for (const [name, tensor] of ordered) {
    checkTensor(name, tensor)
    const { dtype, shape, data } = tensor
    entries.push([name, { dtype, shape, data_offsets: [end, (end += data.byteLength)] }])
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const headerBytes = Math.ceil(json.byteLength / 8) * 8
  const file = new Uint8Array(8 + headerBytes + end).fill(0x20, 8 + json.byteLength, 8 + headerBytes)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  file.set(json, 8)
  let at = 8 + headerBytes
  for (const [, { data }] of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return file
}

function checkTensor(name: string, { dtype, shape, data }: HostTensor): void {
  const elements = shape.reduce((product, length) => product * length, 1)
  const expected = STORED_AS[dtype]
  if (name !== '__metadata__' && data instanceof expected && data.length === elements) return
  throw new DitError(
    'bad-argument',
    `cannot write tensor ${JSON.stringify(name)} of dtype ${dtype} and shape [${shape}] ` +
      `from a ${data.constructor.name} of ${data.length}; expected a ${expected.name} of ${elements}`,
  )
}
