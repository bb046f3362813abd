import { currentRuntime } from '../runtime/platform/platform.ts'
import { httpSource } from '../runtime/weights/http_source.ts'
import type { Source } from '../runtime/weights/source.ts'

/**
 * The checkpoint that a text names: an http(s) address, or a folder's path (Node, Deno).
 * @throws DitError 'not-found', 'bad-argument'
 */
export async function openModel(model: string, { signal }: { signal?: AbortSignal } = {}): Promise<Source> {
  const address = webAddress(model)
  if (address !== undefined) return httpSource(address, { signal })
  const { openFolder } = await import('../runtime/weights/folder_source.node.ts')
  return openFolder(model)
}

/** The address, if the text is one; everything is in a page, where a text is relative to the page. */
export function webAddress(model: string): string | undefined {
  if (/^https?:\/\//i.test(model)) return model
  if (currentRuntime() !== 'browser') return undefined
  const base = globalThis.document?.baseURI ?? globalThis.location.href
  return URL.canParse(model, base) ? new URL(model, base).href : model
}
