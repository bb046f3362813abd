import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { withFileLock } from '../../../../src/runtime/weights/hub/file_lock.node.ts'
import { DENO, ended } from '../../../support/deno.ts'
import { expectFailure } from '../expect_failure.ts'
import { hubAndCache, noise, open, read } from './hub_cache.ts'
import { ID, sha256 } from './hub_server.ts'

const BYTES = Buffer.from(noise(2_000_000))
const SCRIPT = fileURLToPath(new URL('read_in_deno.ts', import.meta.url))

/** A process of its own, of another runtime than this one, on the same cache. */
function startReader(): ChildProcess {
  const child = spawn(DENO, ['run', '-A', '--no-check', SCRIPT, ID, 'w.bin'], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function result(child: ChildProcess): Promise<{ sha256: string; waited: boolean }> {
  const { code, stdout, stderr } = await ended(child)
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

/** A hub whose store sends half of a file, and the rest when it is told to. */
async function slowHub() {
  const { server, cache } = await hubAndCache({ 'w.bin': BYTES })
  let goOn = () => {}
  const told = new Promise<void>((resolve) => (goOn = resolve))
  let slow = true
  const gets: string[] = []
  server.instead = (path, response) => {
    const { method, headers } = response.req
    if (method !== 'GET' || !path.endsWith('w.bin')) return
    gets.push(headers.range ?? 'all')
    if (!slow) return
    slow = false
    response.writeHead(200, { 'Content-Length': BYTES.byteLength })
    response.write(BYTES.subarray(0, 1_000_000))
    void told.then(() => response.end(BYTES.subarray(1_000_000)))
    return true
  }
  return { cache, gets, goOn }
}

describe('several processes that want the same file', () => {
  it('fetch it once: one does, and the others wait', async () => {
    const { cache, gets, goOn } = await slowHub()
    const children = [startReader(), startReader()]
    const readings = children.map(result)
    const busy = children.map((child) => once(child.stdout!, 'data')) // it fetches or waits
    let waitedHere = false
    const source = await open(undefined, { onFetch: ({ waiting }) => (waitedHere ||= waiting) })
    const here = read(source, 'w.bin')
    await Promise.all(busy)
    goOn()
    expect((await here).equals(BYTES)).toBe(true)
    const results = await Promise.all(readings)
    expect([waitedHere, ...results.map(({ waited }) => waited)].filter(Boolean)).toHaveLength(2)
    expect(results.map(({ sha256: sum }) => sum)).toEqual([sha256(BYTES), sha256(BYTES)])
    expect(gets).toEqual(['all'])
    expect(readdirSync(join(cache, 'blobs'))).toEqual([sha256(BYTES)])
  })

  it('go on at once where the one that fetched is killed', async () => {
    const { cache, gets } = await slowHub()
    const child = startReader()
    await once(child.stdout!, 'data')
    const incomplete = join(cache, 'blobs', `${sha256(BYTES)}.incomplete`)
    while (statSync(incomplete).size < 500_000) await new Promise((resolve) => setTimeout(resolve, 20))
    const here = read(await open(), 'w.bin')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(existsSync(join(cache, 'blobs', sha256(BYTES)))).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { size } = statSync(incomplete)
    const began = performance.now()
    expect((await here).equals(BYTES)).toBe(true)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(gets).toEqual(['all', `bytes=${size}-`])
  })

  it('do each other no harm where two fetch at once after all', async () => {
    const { cache, gets, goOn } = await slowHub()
    const first = read(await open(), 'w.bin')
    const locks = join(cache, '..', '.locks', `models--${ID.replace('/', '--')}`)
    const lock = join(locks, `${sha256(BYTES)}.webdit.lock`)
    while (!existsSync(`${join(cache, 'blobs', sha256(BYTES))}.incomplete`)) await new Promise((r) => setTimeout(r, 20))
    writeFileSync(lock, `${hostname()} 999999999 somebody who is gone`)
    expect((await read(await open(), 'w.bin')).equals(BYTES)).toBe(true)
    goOn()
    expect((await first).equals(BYTES)).toBe(true)
    expect(gets).toHaveLength(2)
    expect(readdirSync(join(cache, 'blobs'))).toEqual([sha256(BYTES)])
  })
})

describe('a lock', () => {
  it('is held by one after the other, and taken from who does not touch it for long', async () => {
    const { cache } = await hubAndCache({})
    mkdirSync(cache, { recursive: true })
    const path = join(cache, 'x.lock')
    let inside = 0
    const work = async () => {
      expect(++inside).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 20))
      inside--
    }
    await Promise.all([1, 2, 3].map(() => withFileLock(path, work)))
    expect(existsSync(path)).toBe(false)

    // A process that lives may hold it: then only time tells.
    writeFileSync(path, `${hostname()} ${process.pid} another thread`)
    let waited = 0
    const abort = AbortSignal.timeout(700)
    const taken = withFileLock(path, work, { signal: abort, onWait: () => waited++ })
    await expectFailure(taken, 'aborted')
    expect(waited).toBe(1)
    await withFileLock(path, work, { deadAfter: 300 })
    expect(existsSync(path)).toBe(false)
  })
})
