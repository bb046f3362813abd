import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import { httpSource } from '../runtime/weights/http_source.ts'
import type { Source, SourceFile } from '../runtime/weights/source.ts'
import { webAddress } from './open_model.ts'

/** A transformer's weights in a file of their own, opened. */
export interface TransformerFile extends SourceFile {
  /** Closes what was opened for it. */
  close(): Promise<void>
}

const WANTED = 'Give a file with the weights of the transformer alone, in diffusers’ names or in those of its authors.'

/**
 * Opens the file that stands for the weights of a pipeline's transformer.
 *
 * @param given a path (Node, Deno) or an http(s) address, in a page also relative to it; or a file of a source, which stays
 *   open; undefined for none
 * @throws DitError 'not-found'; 'bad-argument' where it is no safetensors file by its name
 */
export async function openTransformerFile(
  given: string | SourceFile | undefined,
): Promise<TransformerFile | undefined> {
  if (given === undefined) return undefined
  if (typeof given !== 'string') return { ...given, close: async () => {} }
  const address = webAddress(given)
  const named = address === undefined ? given : new URL(address).pathname
  if (!named.endsWith('.safetensors')) {
    throw new DitError('bad-argument', `transformer is ${show(given)}, expected a .safetensors file`, WANTED)
  }
  const [source, path] = address === undefined ? await inFolder(given) : onServer(address)
  try {
    if (await source.exists(path)) return { source, path, close: () => source.close() }
  } catch (error) {
    await source.close()
    throw error
  }
  await source.close()
  throw noFile(given)
}

const noFile = (given: string, cause?: unknown): DitError =>
  new DitError('not-found', `transformer is ${show(given)}, and there is no such file`, WANTED, { cause })

async function inFolder(path: string): Promise<[Source, string]> {
  const { openFolder } = await import('../runtime/weights/folder_source.node.ts')
  const [, folder = '.', file] = /^(?:(.*)[/\\])?([^/\\]*)$/s.exec(path) ?? []
  try {
    return [await openFolder(folder || '/'), file]
  } catch (error) {
    if (error instanceof DitError && error.kind === 'not-found') throw noFile(path, error)
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
