import { DitError } from '../runtime/errors.ts'
import { currentRuntime } from '../runtime/platform/platform.ts'
import { httpSource } from '../runtime/weights/http_source.ts'
import { type HubId, parseHubId } from '../runtime/weights/hub/hub_id.ts'
import type { HubOptions, HubSource } from '../runtime/weights/hub/open_hub.node.ts'
import type { Source } from '../runtime/weights/source.ts'
import { randomSource, readRandomModelName } from './random_models/random_source.ts'

/** What models of the hub were when this process opened them last, each org/name@commit. */
const pinned = new Map<string, string>()

/**
 * The checkpoint that a text names: an http(s) address; in Node and Deno also a folder's path, or else a model of the
 * Hugging Face hub, `org/name` or `org/name@revision`.
 *
 * @throws DitError 'not-found', 'bad-argument'; as openHub
 */
export async function openModel(model: string, options: HubOptions = {}): Promise<Source> {
  const random = readRandomModelName(model)
  if (random !== undefined) return randomSource(random)
  const address = httpAddress(model)
  if (address !== undefined) return httpSource(address, { signal: options.signal })
  const { openFolder } = await import('../runtime/weights/folder_source.node.ts')
  const hub = parseHubId(model)
  try {
    const folder = await openFolder(model)
    pinned.delete(model)
    return folder
  } catch (error) {
    // Without a cause it is a file.
    if (!hub || !(error instanceof DitError && error.kind === 'not-found' && error.cause)) throw error
  }
  const source = await openOnHub(hub, options)
  pinned.set(model, source.pinned)
  return source
}

async function openOnHub(hub: HubId, { signal, onFetch, onNotice }: HubOptions): Promise<HubSource> {
  const { openHub } = await import('../runtime/weights/hub/open_hub.node.ts')
  try {
    return await openHub(hub, { signal, onFetch, onNotice })
  } catch (error) {
    if (!(error instanceof DitError) || error.kind === 'aborted') throw error
    // A mistyped path may look like a model of the hub.
    const hint = [error.hint, 'If you meant a folder: there is none of that name here.'].filter(Boolean).join(' ')
    throw new DitError(error.kind, error.message, hint, { cause: error })
  }
}

/**
 * The address, if the text is one; everything is in a page, where a text is relative to the page. For a model of the hub
 * that this process has opened, the very commit: ranks in other threads and processes must all read the same.
 */
export function webAddress(model: string): string | undefined {
  if (readRandomModelName(model) !== undefined) return model
  return httpAddress(model) ?? pinned.get(model)
}

function httpAddress(model: string): string | undefined {
  if (/^https?:\/\//i.test(model)) return model
  if (currentRuntime() !== 'browser') return undefined
  const base = globalThis.document?.baseURI ?? globalThis.location.href
  return URL.canParse(model, base) ? new URL(model, base).href : model
}
