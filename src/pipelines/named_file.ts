import { DitError } from '../runtime/errors.ts'
import { httpSource } from '../runtime/weights/http_source.ts'
import type { Source, SourceFile } from '../runtime/weights/source.ts'
import { webAddress } from './open_model.ts'

/** The name of a file that is given by its path or address. */
export function fileName(given: string): string {
  const address = webAddress(given)
  return address === undefined ? given : new URL(address).pathname
}

/**
 * Opens a file of its own, as a file of a source that is to be closed.
 *
 * @param given a path (Node, Deno) or an http(s) address, in a page also relative to it
 * @param missing what is said where there is none
 * @throws what `missing` gives; as sources do
 */
export async function openNamedFile(given: string, missing: (cause?: unknown) => DitError): Promise<SourceFile> {
  const address = webAddress(given)
  const [source, path] = address === undefined ? await inFolder(given, missing) : onServer(address)
  try {
    if (await source.exists(path)) return { source, path }
  } catch (error) {
    await source.close()
    throw error
  }
  await source.close()
  throw missing()
}

async function inFolder(path: string, missing: (cause: unknown) => DitError): Promise<[Source, string]> {
  const { openFolder } = await import('../runtime/weights/folder_source.node.ts')
  const [, folder = '.', file] = /^(?:(.*)[/\\])?([^/\\]*)$/s.exec(path) ?? []
  try {
    return [await openFolder(folder || '/'), file]
  } catch (error) {
    if (error instanceof DitError && error.kind === 'not-found') throw missing(error)
    throw error
  }
}

function onServer(address: string): [Source, string] {
  const url = new URL(address)
  const at = url.pathname.lastIndexOf('/') + 1
  const file = decodeURIComponent(url.pathname.slice(at))
  url.pathname = url.pathname.slice(0, at)
  return [httpSource(url), file]
}
