import { show } from '../../show.ts'
import type { Cursor } from './cursor.ts'

/** Numbers of the types that values of a header have (ggml's gguf.h). */
const UINT32 = 4
const INT32 = 5
const STRING = 8
const ARRAY = 9
const UINT64 = 10
const INT64 = 11

/** Bytes of a value, by its type's number; strings and arrays tell theirs themselves. */
const BYTES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }

/** Far above the longest name in published files. */
const MAX_NAME_BYTES = 2 ** 16

/** Numbers of an array that is kept: dimensions. */
const MAX_KEPT = 16

export type MetadataValue = string | number | readonly number[]

/** A text that is a name: of a key or a tensor. @throws DitError 'corrupt' */
export async function readName(cursor: Cursor): Promise<string> {
  await cursor.need(8)
  const length = cursor.u64()
  if (length > MAX_NAME_BYTES) throw cursor.fault(`a name of its header claims ${length} bytes`)
  await cursor.need(length)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(cursor.bytes(length))
  } catch (cause) {
    throw cursor.fault('a name of its header is not UTF-8 text', cause)
  }
}

/**
 * The values of `count` keys that `kept` names: texts, whole numbers and short lists of them. Others are passed over, such as
 * vocabularies of 32 000 words.
 *
 * @throws DitError 'corrupt'
 */
export async function readMetadata(
  cursor: Cursor,
  count: number,
  kept: (key: string) => boolean,
): Promise<Map<string, MetadataValue>> {
  const found = new Map<string, MetadataValue>()
  for (let i = 0; i < count; i++) {
    const key = await readName(cursor)
    await cursor.need(4)
    const type = cursor.u32()
    const value = kept(key) ? await readValue(cursor, key, type) : await skipValue(cursor, key, type)
    if (value === undefined) continue
    if (found.has(key)) throw cursor.fault(`its header has ${show(key)} twice`)
    found.set(key, value)
  }
  return found
}

async function readValue(cursor: Cursor, key: string, type: number): Promise<MetadataValue | undefined> {
  if (type === STRING) return readName(cursor)
  if (type !== ARRAY) return readWhole(cursor, key, type)
  await cursor.need(12)
  const each = cursor.u32()
  const length = cursor.u64()
  if (length > MAX_KEPT) throw cursor.fault(`${show(key)} of its header is a list of ${length}`)
  const values: number[] = []
  for (let i = 0; i < length; i++) values.push(await readWhole(cursor, key, each))
  return values
}

async function readWhole(cursor: Cursor, key: string, type: number): Promise<number> {
  if (![UINT32, INT32, UINT64, INT64].includes(type)) {
    throw cursor.fault(`${show(key)} of its header is of type ${type}, no whole number`)
  }
  await cursor.need(BYTES[type])
  if (type === UINT32) return cursor.u32()
  return type === INT32 ? cursor.i32() : cursor.u64()
}

async function skipValue(cursor: Cursor, key: string, type: number): Promise<undefined> {
  if (type === STRING) {
    await cursor.need(8)
    cursor.skip(cursor.u64())
  } else if (type !== ARRAY) {
    cursor.skip(bytesOf(cursor, key, type))
  } else {
    await cursor.need(12)
    const each = cursor.u32()
    const length = cursor.u64()
    if (each === STRING) await skipTexts(cursor, length)
    else cursor.skip(length * bytesOf(cursor, key, each))
  }
}

async function skipTexts(cursor: Cursor, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    // Most are in what was read: waiting for each of thousands takes longer than passing over them.
    const reading = cursor.need(8)
    if (reading) await reading
    cursor.skip(cursor.u64())
  }
}

/** ggml knows no lists of lists. */
function bytesOf(cursor: Cursor, key: string, type: number): number {
  const bytes = BYTES[type]
  if (bytes === undefined) throw cursor.fault(`${show(key)} of its header is of type ${type}, which GGUF has not`)
  return bytes
}
