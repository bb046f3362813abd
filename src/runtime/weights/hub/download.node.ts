import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { throwIfAborted } from '../../abort.ts'
import { megabytes } from '../../allocation.ts'
import { DitError } from '../../errors.ts'
import { type Asked, cannotWrite, noRoom, Unreachable, where } from './errors.ts'
import type { FileInfo } from './questions.ts'
import { ask, bodyOf, type Connection } from './requests.ts'
import { addFile, type Sum, sumFor } from './sum.node.ts'

export interface Download extends FileInfo {
  readonly asked: Asked
  readonly url: string
  /** The part that is here so far; all of it when download() is done. */
  readonly incomplete: string
  /** The cache's folder, for people. */
  readonly cache: string
  /** Bytes that are here. */
  readonly onBytes?: (bytes: number) => void
  /** How long to wait before trying again, in ms; each time without progress doubles it. Default 1000. */
  readonly pause?: number
}

/** So many tries in a row may bring nothing. */
const TRIES = 5

/**
 * Fetches what is missing of a file, and checks all of it. Two that fetch the same file at once write the same bytes to
 * the same places.
 *
 * @throws DitError 'corrupt' for another sum, after the file is removed; 'io' where the server does not answer or nothing
 *   can be written, and what has come is kept; 'aborted'
 */
export async function download(connection: Connection, file: Download): Promise<void> {
  const { asked, incomplete, cache, size } = file
  const writing = <T>(done: Promise<T>): Promise<T> =>
    done.catch((error) => {
      throw cannotWrite(error, where(asked), cache)
    })
  // Not for appending: what is written twice must not be there twice.
  const handle = await writing(fs.open(incomplete, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666))
  try {
    let here = (await handle.stat()).size
    if (here > size) here = 0 // of another file, whatever the reason
    await checkRoom(file, here)
    let sum = sumFor(file.etag, size)
    await addFile(sum, incomplete, here)
    for await (const { at, bytes } of missing(connection, file, here)) {
      if (at === 0) sum = sumFor(file.etag, size)
      await writing(writeAt(handle, bytes, at))
      sum.update(bytes)
      file.onBytes?.(at + bytes.byteLength)
    }
    await writing(handle.truncate(size))
    await writing(handle.sync()) // a blob that has its name is never looked at again
    await checkSum(sum, file)
  } finally {
    await handle.close()
  }
}

/** The bytes from `here` on, with their places; from the beginning again where the server gives no ranges. */
async function* missing(
  connection: Connection,
  { asked, url, size, validator, pause = 1000 }: Download,
  here: number,
): AsyncGenerator<{ at: number; bytes: Uint8Array }> {
  let at = here
  let farthest = here
  let bound = validator
  for (let failures = 0; at < size; ) {
    try {
      const headers: Record<string, string> = at > 0 ? { Range: `bytes=${at}-` } : {}
      if (at > 0 && bound) headers['If-Range'] = bound
      const answer = await ask(connection, { asked, url, headers })
      at = beginOf(answer.response, at, size, asked)
      const etag = answer.response.headers.get('ETag')
      bound = etag?.startsWith('"') ? etag : undefined
      for await (const bytes of bodyOf(connection, answer)) {
        if (at + bytes.byteLength > size) throw changed(asked, `sends more than the ${size} bytes that it names`)
        yield { at, bytes }
        at += bytes.byteLength
        if (at > farthest) failures = 0
        farthest = Math.max(at, farthest)
      }
      if (at < size) throw new Unreachable(`the server ended after ${at} of ${size} bytes`, '', undefined)
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      throwIfAborted(connection.signal)
      if (++failures >= TRIES) {
        const kept = at > 0 ? `${megabytes(at)} of ${megabytes(size)} are kept: run` : 'Run'
        throw new Unreachable(`${where(asked)}: ${error.message}`, `${kept} again to go on.`, error)
      }
      await wait(pause * 2 ** (failures - 1), undefined, { signal: connection.signal }).catch(() => {})
    }
  }
}

async function writeAt(handle: fs.FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await handle.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten
  }
}

/** The place of an answer's first byte. */
function beginOf({ status, headers }: Response, at: number, size: number, asked: Asked): number {
  if (status !== 206) return 0
  const range = headers.get('Content-Range') ?? ''
  const [, begin, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? []
  if (Number(begin) === at && (total === '*' || Number(total) === size)) return at
  throw changed(asked, `answers '${range}' where the bytes from ${at} of ${size} were asked for`)
}

function changed(asked: Asked, what: string): DitError {
  return new DitError('corrupt', `${where(asked)}: the server ${what}`, 'Run again.')
}

async function checkRoom({ asked, incomplete, cache, size }: Download, here: number): Promise<void> {
  const disk = await fs.statfs(dirname(incomplete)).catch(() => undefined)
  if (!disk) return
  const free = disk.bavail * disk.bsize
  if (size - here > free) throw noRoom(where(asked), cache, size - here, free)
}

async function checkSum(sum: Sum, { asked, etag, incomplete }: Download): Promise<void> {
  const value = sum.value()
  if (value === etag) return
  await fs.rm(incomplete, { force: true })
  throw new DitError(
    'corrupt',
    `${where(asked)} has the ${sum.kind} ${value} after it was fetched, and ${asked.endpoint} names ${etag}`,
    'What came was removed: run again to fetch it anew. If that does not help, something on the way changes the bytes.',
  )
}
