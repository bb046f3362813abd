import { DitError } from '../../runtime/errors.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'

/** The name of something in the object store. */
export type ObjectName = string

/** Bytes of a piece at most: the server takes 1 MiB at once, unless it is told otherwise. */
const PIECE = 512 * 1024

/** Cuts it into pieces that the server takes. */
export async function putObject(
  { nc, objects }: Rooms,
  name: ObjectName,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<ObjectName> {
  const options = { max_chunk_size: PIECE }
  const put = () => objects.putBlob({ name, options }, bytes)
  await untilAnswered(nc, `${bytes.length} bytes for its object store`, put, signal)
  return name
}

/** @throws DitError 'io' where it is not there any more */
export async function getObject(rooms: Rooms, name: ObjectName, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await untilAnswered(rooms.nc, 'an object', () => read(rooms, name), signal)
  if (bytes) return bytes
  throw new DitError('io', `the object store has no ${name} any more`, 'It keeps things for a day: run again.')
}

/**
 * Piece after piece by requests of their own. The client's own way makes a consumer for each object, which waits forever
 * where the server restarts meanwhile, and is left behind for minutes where it does not.
 */
async function read({ jsm, names, objects }: Rooms, name: ObjectName): Promise<Uint8Array | undefined> {
  const info = await objects.info(name)
  if (!info || info.deleted) return undefined
  const bytes = new Uint8Array(info.size)
  const subject = `$O.${names.buckets.objects}.C.${info.nuid}`
  for (let [at, seq] = [0, 0]; at < info.size; ) {
    const piece = await jsm.direct.getMessage(`OBJ_${names.buckets.objects}`, { seq: seq + 1, next_by_subj: subject })
    if (!piece || at + piece.data.length > info.size) return undefined
    bytes.set(piece.data, at)
    at += piece.data.length
    seq = piece.seq
  }
  return bytes
}

/** Tidies up; what stays behind for want of a server goes after a day by itself. */
export async function dropObjects({ objects }: Rooms, names: readonly ObjectName[]): Promise<void> {
  await Promise.allSettled(names.map((name) => objects.delete(name)))
}

export const bytesOf = ({
  buffer,
  byteOffset,
  byteLength,
}: Float32Array | Uint8ClampedArray | Uint8Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength)

/** @throws DitError 'corrupt' for half a number */
export function floatsOf(bytes: Uint8Array): Float32Array {
  // Copied: it may begin anywhere in memory.
  if (bytes.length % 4 === 0) return new Float32Array(Uint8Array.from(bytes).buffer)
  throw new DitError('corrupt', `${bytes.length} bytes came where numbers of 4 were expected`)
}
