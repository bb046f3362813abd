import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { STORED_AS, toFloat32 } from '../../src/runtime/weights/dtypes.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { type HostTensor, readSafetensorsHeader, writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import { roundToBfloat16, roundToFloat16 } from '../../src/schedulers/half_rounding.ts'

/** What the oracle computed of weights that were rounded. */
export const RESAVED = fileURLToPath(new URL('../fixtures/resaved/', import.meta.url))

/** How weights are saved again. */
export interface Form {
  /** Default: that of each tensor. */
  dtype?: 'BF16' | 'F16'
  variant?: string
  /** More than one: shards and their index. Default 1. */
  shards?: number
  /** Shards of a variant by the names that older diffusers gave them. */
  older?: boolean
}

/** The tensors of a safetensors file, their bits as they are stored. */
export async function storedTensors(folder: string, file: string): Promise<Record<string, HostTensor>> {
  const source = await openFolder(folder)
  try {
    const { tensors } = await readSafetensorsHeader(source, file)
    const found: Record<string, HostTensor> = {}
    for (const { name, dtype, shape, begin, bytes } of tensors.values()) {
      const data = new Uint8Array(bytes)
      await source.readInto(file, begin, data)
      found[name] = { dtype, shape, data: new STORED_AS[dtype](data.buffer) }
    }
    return found
  } finally {
    await source.close()
  }
}

/**
 * Saves `from`/`stem`.safetensors again in the folder `to`, with the file names that save_pretrained of diffusers and
 * transformers gives; returns these names.
 */
export async function resave(from: string, to: string, stem: string, form: Form): Promise<string[]> {
  const { dtype, variant, shards = 1, older = false } = form
  const mark = variant ? `.${variant}` : ''
  const tensors = Object.entries(await storedTensors(from, `${stem}.safetensors`)).map(
    ([name, tensor]) => [name, dtype ? rounded(tensor, dtype) : tensor] as const,
  )
  const files = new Map<string, Uint8Array | string>()
  const bytesOf = (file: typeof tensors) => writeSafetensors(Object.fromEntries(file), { format: 'pt' })
  if (shards === 1) {
    files.set(`${stem}${mark}.safetensors`, bytesOf(tensors))
  } else {
    const weightMap: Record<string, string> = {}
    for (const [i, shard] of divided(tensors, shards).entries()) {
      const place = `-${fiveDigits(i + 1)}-of-${fiveDigits(shards)}`
      const file = `${stem}${older ? `${place}${mark}` : `${mark}${place}`}.safetensors`
      files.set(file, bytesOf(shard))
      for (const [name] of shard) weightMap[name] = file
    }
    const index = { metadata: { total_size: sizeOf(tensors) }, weight_map: weightMap }
    files.set(
      `${stem}.safetensors${older ? `${mark}.index` : `.index${mark}`}.json`,
      JSON.stringify(index, undefined, 2),
    )
  }
  mkdirSync(to, { recursive: true })
  for (const [file, content] of files) writeFileSync(join(to, file), content)
  return [...files.keys()].sort()
}

/** In the order that they have, as many tensors in each part. */
function divided<T>(tensors: readonly T[], parts: number): T[][] {
  const first = (part: number) => Math.floor((tensors.length * part) / parts)
  return Array.from({ length: parts }, (_, part) => tensors.slice(first(part), first(part + 1)))
}

function rounded(tensor: HostTensor, dtype: 'BF16' | 'F16'): HostTensor {
  const { buffer, byteOffset, byteLength } = tensor.data
  const values = toFloat32(new Uint8Array(buffer, byteOffset, byteLength), tensor.dtype)
  return { dtype, shape: tensor.shape, data: Uint16Array.from(values, dtype === 'BF16' ? bfloat16Bits : float16Bits) }
}

const word = new DataView(new ArrayBuffer(4))

function bfloat16Bits(value: number): number {
  word.setFloat32(0, roundToBfloat16(value))
  return word.getUint16(0)
}

function float16Bits(value: number): number {
  const magnitude = Math.abs(roundToFloat16(value))
  if (!Number.isFinite(magnitude)) throw new Error(`${value} is no finite float16`)
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24)
  const exponent = Math.floor(Math.log2(magnitude))
  return sign | ((exponent + 15) << 10) | ((magnitude / 2 ** exponent - 1) * 1024)
}

const sizeOf = (tensors: readonly (readonly [string, HostTensor])[]) =>
  tensors.reduce((sum, [, { data }]) => sum + data.byteLength, 0)

const fiveDigits = (n: number) => String(n).padStart(5, '0')
