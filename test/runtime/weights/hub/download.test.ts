import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Source } from '../../../../src/runtime/weights/source.ts'
import { expectFailure } from '../expect_failure.ts'
import { hubAndCache, noise, open, read } from './hub_cache.ts'
import { gitSha, refuse, sha256 } from './hub_server.ts'

const BYTES = Buffer.from(noise(3_000_000))
const BLOB = sha256(BYTES)
const HALF = 1_234_567

/** A hub with one large file, and the requests for its bytes. */
async function largeFile(here?: Uint8Array) {
  const { server, cache } = await hubAndCache({ 'w.bin': BYTES, 'model_index.json': '{}' })
  const incomplete = join(cache, 'blobs', `${BLOB}.incomplete`)
  if (here) {
    mkdirSync(join(cache, 'blobs'), { recursive: true })
    writeFileSync(incomplete, here)
  }
  const gets = () =>
    server.requests.filter((line) => line.startsWith('STORE')).map((line) => line.split(' ')[3] ?? 'all')
  return { server, cache, incomplete, gets, blobs: () => readdirSync(join(cache, 'blobs')) }
}

/** Compared by Buffer: expect() looks at each byte for itself. */
async function expectBytes(source: Source, message?: string): Promise<void> {
  expect((await read(source, 'w.bin')).equals(BYTES), message).toBe(true)
}

describe('a download', () => {
  it('goes on where it was cut, and ends byte for byte', async () => {
    const { server, gets, blobs } = await largeFile()
    const cuts = [1, 2, 3].map(() => Math.floor(Math.random() * (BYTES.byteLength / 4)))
    const rest = [...cuts]
    server.cut = () => rest.shift()
    const seen: number[] = []
    const source = await open(undefined, { onFetch: ({ bytes }) => seen.push(bytes) })
    await expectBytes(source, `cut after ${cuts}`)
    // What was under way when the connection broke may be lost.
    const begins = gets().map((range) => Number(/\d+/.exec(range)?.[0] ?? 0))
    expect(begins).toHaveLength(4)
    for (const [i, begin] of begins.slice(1).entries()) {
      expect(begin).toBeGreaterThanOrEqual(begins[i])
      expect(begin).toBeLessThanOrEqual(begins[i] + cuts[i])
    }
    expect(server.headers.store.at(-1)!['if-range']).toBe(begins[3] > 0 ? '"store-3000000"' : undefined)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(BYTES.byteLength)
    expect(blobs()).toEqual([BLOB])
  })

  it('goes on with what an earlier process left', async () => {
    const { gets, blobs } = await largeFile(BYTES.subarray(0, HALF))
    await expectBytes(await open())
    expect(gets()).toEqual([`bytes=${HALF}-`])
    expect(blobs()).toEqual([BLOB])
  })

  it('asks for nothing where all was there but the name', async () => {
    const { gets } = await largeFile(BYTES)
    await expectBytes(await open())
    expect(gets()).toEqual([])
  })

  it.each([
    ['begins anew where the server gives no ranges', BYTES.subarray(0, HALF)],
    ['takes no part that is longer than the file', Buffer.alloc(BYTES.byteLength + 1)],
  ])('%s', async (_, here) => {
    const { server, blobs } = await largeFile(here)
    server.ranges = false
    await expectBytes(await open())
    expect(blobs()).toEqual([BLOB])
  })

  it.each([
    ['wrong bytes', undefined],
    ['an earlier part of another file', Buffer.alloc(HALF)],
  ])('finds %s, removes them, and can be made again', async (_, here) => {
    const { server, blobs } = await largeFile(here)
    server.spoil = (bytes) => bytes.map((byte, i) => (i === 2_000_000 ? byte ^ 1 : byte))
    if (here) server.spoil = undefined
    const error = await expectFailure(read(await open(), 'w.bin'), 'corrupt', 'w.bin', 'SHA-256', BLOB)
    expect(error.hint).toContain('removed')
    expect(blobs()).toEqual([])
    server.spoil = undefined
    await expectBytes(await open())
  })

  it('goes on with a small file only if the hub still has that version', async () => {
    const { server, cache } = await hubAndCache({ 'tokenizer.json': BYTES })
    mkdirSync(join(cache, 'blobs'), { recursive: true })
    writeFileSync(join(cache, 'blobs', `${gitSha(BYTES)}.incomplete`), BYTES.subarray(0, HALF))
    expect((await read(await open(), 'tokenizer.json')).equals(BYTES)).toBe(true)
    expect(server.headers.hub.at(-1)).toMatchObject({ range: `bytes=${HALF}-`, 'if-range': `"${gitSha(BYTES)}"` })
  })

  it('finds wrong bytes of a small file by git’s sum', async () => {
    const { server } = await hubAndCache({ 'config.json': '{"a": 1}' })
    const right = gitSha(Buffer.from('{"a": 1}'))
    server.instead = (path, response) => {
      if (!path.endsWith('config.json')) return
      response.writeHead(200, { ETag: `"${right}"`, 'Content-Length': 8 }).end('{"a": 2}')
      return true
    }
    await expectFailure((await open()).readText('config.json'), 'corrupt', 'git blob SHA-1', right)
  })

  it('gives up a server that breaks off again and again, keeps what came, and goes on later', async () => {
    const { server, gets, blobs, incomplete } = await largeFile()
    server.cut = (bytes) => (bytes > 2_000_000 ? 700_000 : 0)
    const error = await expectFailure(read(await open(), 'w.bin'), 'io', 'w.bin')
    expect(error.hint).toMatch(/MiB of 2.9 MiB are kept: run again to go on/)
    expect(gets().length).toBeGreaterThanOrEqual(6)
    expect(blobs()).toEqual([`${BLOB}.incomplete`])
    const kept = readFileSync(incomplete)
    expect(BYTES.subarray(0, kept.byteLength).equals(kept)).toBe(true)
    server.cut = undefined
    await expectBytes(await open())
    expect(gets().at(-1)).toBe(`bytes=${kept.byteLength}-`)
  })

  it('gives up a server that cuts the whole file each time, since it gives no ranges', async () => {
    const { server, gets } = await largeFile()
    server.ranges = false
    server.cut = () => 900_000
    await expectFailure(read(await open(), 'w.bin'), 'io')
    expect(gets().length).toBeLessThan(20)
  })

  it('does not wait for a server that has fallen silent', async () => {
    const { server, gets } = await largeFile()
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3')
    let silent = true
    server.instead = (path, response) => {
      if (!silent || !path.endsWith('w.bin') || response.req.method === 'HEAD') return
      silent = false
      response.writeHead(200, { 'Content-Length': BYTES.byteLength }).write(BYTES.subarray(0, 1000))
      return true
    }
    await expectBytes(await open())
    expect(gets()).toEqual(['bytes=1000-'])
  })

  it('waits out a hub that has too much to do', async () => {
    const { server } = await largeFile()
    let busy = 2
    server.instead = (path, response) => {
      if (!path.endsWith('w.bin') || response.req.method === 'HEAD' || busy-- <= 0) return
      refuse(response, 503)
      return true
    }
    await expectBytes(await open())
  })

  it('ends when the signal fires, and keeps what came', async () => {
    const { server, incomplete } = await largeFile()
    const abort = new AbortController()
    server.cut = () => undefined
    const source = await open(undefined, {
      signal: abort.signal,
      onFetch: ({ bytes }) => bytes > 500_000 && abort.abort(),
    })
    await expectFailure(read(source, 'w.bin'), 'aborted')
    const kept = readFileSync(incomplete)
    expect(kept.byteLength).toBeGreaterThan(500_000)
    expect(BYTES.subarray(0, kept.byteLength).equals(kept)).toBe(true)
  })

  it('says before it starts that the disk is too small', async () => {
    const { server, gets } = await largeFile()
    server.instead = (path, response) => {
      if (!path.endsWith('w.bin')) return
      const headers = { Location: 'http://127.0.0.1:9/', 'X-Linked-Etag': `"${BLOB}"`, 'X-Linked-Size': 2 ** 52 }
      response.writeHead(302, headers).end()
      return true
    }
    const error = await expectFailure((await open()).readInto('w.bin', 0, new Uint8Array(1)), 'io', 'has room for')
    expect(error.hint).toContain('HF_HUB_CACHE')
    expect(gets()).toEqual([])
  })

  it.skipIf(process.platform !== 'linux')('says so where the disk is full meanwhile', async () => {
    const { incomplete, cache } = await largeFile()
    mkdirSync(join(cache, 'blobs'), { recursive: true })
    symlinkSync('/dev/full', incomplete)
    const error = await expectFailure(read(await open(), 'w.bin'), 'io', 'no space is left', 'ENOSPC')
    expect(error.hint).toContain('run again to go on')
  })

  it('says so where the cache cannot be written to', async () => {
    const { cache } = await largeFile()
    mkdirSync(join(cache, '..'), { recursive: true })
    writeFileSync(cache, 'no folder')
    const error = await expectFailure(read(await open(), 'w.bin'), 'io', 'cannot write')
    expect(error.hint).toContain('HF_HUB_CACHE')
  })
})
