import { DitError } from '../../runtime/errors.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'

/** The name of something in the object store. */
export type ObjectName = string

/** Large messages are cut into pieces that the server takes. */
export async function putObject(
  { nc, objects }: Rooms,
  name: ObjectName,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<ObjectName> {
  await untilAnswered(nc, `${bytes.length} bytes for its object store`, () => objects.putBlob({ name }, bytes), signal)
  return name
}

/** @throws DitError 'io' where it is not there any more */
export async function getObject({ nc, objects }: Rooms, name: ObjectName, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await untilAnswered(nc, 'an object', () => objects.getBlob(name), signal)
  if (bytes) return bytes
  throw new DitError('io', `the object store has no ${name} any more`, 'It keeps things for a day: run again.')
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
  if (bytes.length % 4 === 0) return new Float32Array(bytes.slice().buffer)
  throw new DitError('corrupt', `${bytes.length} bytes came where numbers of 4 were expected`)
}
