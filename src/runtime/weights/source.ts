import { DitError } from '../errors.ts'
import { show } from '../show.ts'

/**
 * A checkpoint folder that gives byte ranges: a folder on disk, a map in memory, or anything else that can
 * answer these calls. Paths are relative, with '/' between parts; '' is the folder itself.
 */
export interface Source {
  /** The folder as its owner calls it; errors name files as `${name}/${path}`. */
  readonly name: string
  /** Bytes in the file. @throws DitError 'not-found' */
  size(path: string): Promise<number>
  /** Whether there is a file at this path. */
  exists(path: string): Promise<boolean>
  /** Names of the files and folders right inside `dir`, sorted; empty if there is no such folder. Absent where the place cannot tell. */
  list?(dir: string): Promise<string[]>
  /** Fills `target` wholly with the file's bytes from `offset` on. @throws DitError 'corrupt' where the file ends early */
  readInto(path: string, offset: number, target: Uint8Array): Promise<void>
  /** The file as UTF-8 text of at most `maxBytes` (default `MAX_TEXT_BYTES`). @throws DitError 'corrupt' */
  readText(path: string, maxBytes?: number): Promise<string>
  /** Weights have no bytes there and become random ones on the device: what computing takes does not depend on them. */
  readonly random?: boolean
  /** Reading weights leaves targets as they are: only headers of their files are read. */
  readonly headersOnly?: boolean
  /** Gives up what it keeps open between readings; what is read afterwards opens it again. */
  close(): Promise<void>
}

/** A file of a source. */
export interface SourceFile {
  readonly source: Source
  /** Relative to the source. */
  readonly path: string
}

/** Far above the largest text in published checkpoints (a tokenizer.json of 33 MB). */
export const MAX_TEXT_BYTES = 256 * 1024 * 1024

/** `dir/file`, where either may be ''. */
export function joinPath(dir: string, file: string): string {
  return dir && file ? `${dir}/${file}` : dir || file
}

/** Where a file is, for people. */
export function describePath(source: Pick<Source, 'name'>, path: string): string {
  return joinPath(source.name, path)
}

/** Returns the path if it stays inside its folder. @throws DitError 'bad-argument' */
export function checkPath(path: string): string {
  const inside = !/[\\\0:]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  if (path === '' || inside) return path
  throw new DitError(
    'bad-argument',
    `the path ${show(path)} leaves the checkpoint folder or is not a plain relative path`,
    "Name files relative to the checkpoint folder, with '/' between parts.",
  )
}

export function fileNotFound(source: Pick<Source, 'name'>, path: string, cause?: unknown): DitError {
  return new DitError(
    'not-found',
    `there is no file ${describePath(source, path)}`,
    'The download may be incomplete: fetch the whole checkpoint folder again.',
    { cause },
  )
}

export function fileEndsEarly(source: Pick<Source, 'name'>, path: string, needed: number, size: number): DitError {
  return new DitError(
    'corrupt',
    `${describePath(source, path)} ends after ${size} bytes, but ${needed} are needed`,
    'The file is truncated: fetch it again.',
  )
}

/** How a Source reads text, from its own `size` and `readInto`. */
export async function readTextFrom(
  source: Pick<Source, 'name' | 'size' | 'readInto'>,
  path: string,
  maxBytes = MAX_TEXT_BYTES,
): Promise<string> {
  const size = await source.size(path)
  const where = describePath(source, path)
  if (size > maxBytes) {
    throw new DitError('corrupt', `${where} has ${size} bytes; a text file of at most ${maxBytes} was expected`)
  }
  const bytes = new Uint8Array(size)
  await source.readInto(path, 0, bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DitError('corrupt', `${where} is not UTF-8 text`, 'Fetch the file again.', { cause })
  }
}
