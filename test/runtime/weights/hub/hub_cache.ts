import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { parseHubId } from '../../../../src/runtime/weights/hub/hub_id.ts'
import { type HubOptions, type HubSource, openHub } from '../../../../src/runtime/weights/hub/open_hub.node.ts'
import type { Source } from '../../../../src/runtime/weights/source.ts'
import { type HubServer, ID, startHub } from './hub_server.ts'

/** Bytes that no compression shortens and no shift leaves alike. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state >>> 24
  })
}

/** A new cache, until the test ends, and the environment that names it and the hub. Returns models--org--name. */
export function useCache(endpoint: string, more: Record<string, string> = {}): string {
  const home = mkdtempSync(join(tmpdir(), 'webdit-hub-'))
  onTestFinished(() => {
    vi.unstubAllEnvs()
    rmSync(home, { recursive: true, force: true })
  })
  const own = /^(HF_|HUGGING_?FACE|TRANSFORMERS_OFFLINE$)/
  for (const name of Object.keys(process.env)) if (own.test(name)) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries({ HF_ENDPOINT: endpoint, HF_HOME: home, ...more })) vi.stubEnv(name, value)
  return join(home, 'hub', `models--${ID.replace('/', '--')}`)
}

/** A hub with these files, and an empty cache. */
export async function hubAndCache(
  files: Record<string, Uint8Array | string>,
): Promise<{ server: HubServer; cache: string }> {
  const bytes = Object.entries(files).map(([path, content]) => [path, Buffer.from(content as string)] as const)
  const server = await startHub(new Map(bytes))
  return { server, cache: useCache(server.endpoint) }
}

/** An address that nobody answers at. */
export async function nowhere(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

/** Opened until the test ends. */
export async function open(model = ID, options: HubOptions = {}): Promise<HubSource> {
  const source = await openHub(parseHubId(model)!, { onFetch() {}, pause: 1, ...options })
  onTestFinished(() => source.close())
  return source
}

/** All bytes of a file. */
export async function read(source: Source, path: string): Promise<Buffer> {
  const target = Buffer.alloc(await source.size(path))
  await source.readInto(path, 0, target)
  return target
}
