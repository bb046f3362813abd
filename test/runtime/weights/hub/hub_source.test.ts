import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parseHubId } from '../../../../src/runtime/weights/hub/hub_id.ts'
import { readSafetensorsHeader, writeSafetensors } from '../../../../src/runtime/weights/safetensors.ts'
import { expectFailure } from '../expect_failure.ts'
import { hubAndCache, noise, open, read } from './hub_cache.ts'
import { COMMIT, etagOf, gitSha, ID, sha256 } from './hub_server.ts'

const WEIGHTS = noise(5_000)
const CONFIG = '{"a": "é"}'
const FILES = { 'model_index.json': '{}', 'vae/config.json': CONFIG, 'vae/w.safetensors': WEIGHTS, 'flux.bin': WEIGHTS }

describe('the name of a model of the hub', () => {
  it.each([
    ['black-forest-labs/FLUX.1-schnell', 'black-forest-labs/FLUX.1-schnell', 'main'],
    ['a/b@v1.0', 'a/b', 'v1.0'],
    ['a/b@refs/pr/3', 'a/b', 'refs/pr/3'],
    [`_a/b_@${COMMIT}`, '_a/b_', COMMIT],
  ])('%s', (text, id, revision) => expect(parseHubId(text)).toEqual({ id, revision }))

  it.each([
    ...['model', './a/b', '/a/b', 'a/b/c', 'a/', '/b', '../b', 'a/..', 'a b/c', 'a/-b', 'a/b-', 'a/b.', 'a--b/c'],
    ...['a/b..c', 'a/b.git', 'a/b@', 'a/b@../c', 'a/b@x//y', 'a/b@-x', 'a/b@x/', 'C:/b', 'a\\b', `a/${'b'.repeat(96)}`],
  ])('%s is none', (text) => expect(parseHubId(text)).toBeUndefined())
})

describe('a model of the hub', () => {
  it('brings what is read into the layout of huggingface_hub, and nothing else', async () => {
    const { server, cache } = await hubAndCache(FILES)
    const source = await open()
    expect(source.name).toBe(ID)
    expect(await source.list!('')).toEqual(['flux.bin', 'model_index.json', 'vae'])
    expect(await source.list!('vae')).toEqual(['config.json', 'w.safetensors'])
    expect([await source.exists('vae/config.json'), await source.exists('vae'), await source.exists('x')]).toEqual([
      ...[true, false, false],
    ])
    expect(existsSync(join(cache, 'refs', 'main'))).toBe(false)
    expect(await source.readText('vae/config.json')).toBe(CONFIG)
    const part = new Uint8Array(100)
    await source.readInto('vae/w.safetensors', 1000, part)
    expect(Buffer.from(part)).toEqual(Buffer.from(WEIGHTS.subarray(1000, 1100)))
    await source.close()

    expect(readFileSync(join(cache, 'refs', 'main'), 'utf8')).toBe(COMMIT)
    const blobs = [gitSha(Buffer.from(CONFIG)), sha256(WEIGHTS)]
    expect(readdirSync(join(cache, 'blobs')).sort()).toEqual([...blobs].sort())
    expect(readdirSync(join(cache, 'snapshots'))).toEqual([COMMIT])
    const snapshot = join(cache, 'snapshots', COMMIT)
    expect(readdirSync(snapshot)).toEqual(['vae'])
    for (const [i, file] of ['vae/config.json', 'vae/w.safetensors'].entries()) {
      expect(readlinkSync(join(snapshot, file))).toBe(`../../../blobs/${blobs[i]}`)
    }
    expect(readFileSync(join(snapshot, 'vae/w.safetensors'))).toEqual(Buffer.from(WEIGHTS))
    expect(readdirSync(join(cache, '..', '.locks', `models--${ID.replace('/', '--')}`))).toEqual([])
    expect(server.requests.filter((line) => line.includes('flux.bin'))).toEqual([])
  })

  it('asks one question where everything is in the cache, and none offline', async () => {
    const { server } = await hubAndCache(FILES)
    for (const path of ['model_index.json', 'flux.bin']) await read(await open(), path)
    server.requests.length = 0
    expect(await read(await open(), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
    expect(server.requests).toEqual([`GET /api/models/${ID}/revision/main`])
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    for (const model of [ID, `${ID}@${COMMIT}`, `${ID}@main`]) {
      expect(await read(await open(model), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
    }
    expect(server.requests).toHaveLength(1)
  })

  it('is told by its revision, and by the commit that it was', async () => {
    const { server, cache } = await hubAndCache(FILES)
    const branch = await open(`${ID}@refs/pr/1`)
    await read(branch, 'model_index.json')
    expect(server.requests[0]).toBe(`GET /api/models/${ID}/revision/refs/pr/1`)
    expect(readFileSync(join(cache, 'refs/refs/pr/1'), 'utf8')).toBe(COMMIT)
    expect(branch.name).toBe(`${ID}@refs/pr/1`)
    expect(branch.pinned).toBe(`${ID}@${COMMIT}`)
    expect((await open(branch.pinned)).pinned).toBe(branch.pinned)
  })

  it('takes what a new commit shares with an old one from the blobs', async () => {
    const { server, cache } = await hubAndCache(FILES)
    await read(await open(), 'vae/w.safetensors')
    server.commit = COMMIT.replace('0', 'f')
    server.requests.length = 0
    expect(await read(await open(), 'vae/w.safetensors')).toEqual(Buffer.from(WEIGHTS))
    expect(server.requests.filter((line) => !line.includes('/api/') && !line.startsWith('HEAD'))).toEqual([])
    expect(readFileSync(join(cache, 'refs/main'), 'utf8')).toBe(server.commit)
    expect(realpathSync(join(cache, 'snapshots', server.commit, 'vae/w.safetensors'))).toBe(
      realpathSync(join(cache, 'blobs', sha256(WEIGHTS))),
    )
  })

  it('sends the token to the hub, and not to the store', async () => {
    const { server } = await hubAndCache(FILES)
    vi.stubEnv('HF_TOKEN', ' hf_x ')
    const source = await open()
    await read(source, 'model_index.json')
    await read(source, 'flux.bin')
    await readSafetensorsHeader(source, 'vae/w.safetensors').catch(() => {})
    expect(new Set(server.headers.hub.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer hf_x']))
    expect(server.headers.store).not.toEqual([])
    expect(new Set(server.headers.store.map(({ authorization }) => authorization))).toEqual(new Set([undefined]))
  })

  it('reads the header of a weights file without the file, and holds it against the file later', async () => {
    const data = new Float32Array(200_000).fill(2)
    const weights = writeSafetensors({ w: { dtype: 'F32', shape: [200_000], data } })
    const { server, cache } = await hubAndCache({ 'w.safetensors': weights })
    const plan = await open()
    const { tensors } = await readSafetensorsHeader(plan, 'w.safetensors')
    expect(tensors.get('w')).toMatchObject({ shape: [200_000], bytes: 800_000 })
    expect(existsSync(join(cache, 'blobs'))).toBe(false)
    expect(server.requests.filter((line) => line.startsWith('STORE'))).toEqual([
      'STORE GET /w.safetensors bytes=0-65535',
    ])

    const other = Buffer.from(weights)
    other[other.indexOf('"w"') + 1] = 'v'.charCodeAt(0)
    server.spoil = () => other
    const misled = await open()
    expect([...(await readSafetensorsHeader(misled, 'w.safetensors')).tensors.keys()]).toEqual(['v'])
    server.spoil = undefined
    const tensor = misled.readInto('w.safetensors', weights.byteLength - 8, new Uint8Array(8))
    await expectFailure(tensor, 'corrupt', 'the header of', 'w.safetensors')

    const right = await open()
    await readSafetensorsHeader(right, 'w.safetensors')
    await right.readInto('w.safetensors', weights.byteLength - 8, new Uint8Array(8))
  })

  it('mends a snapshot that links to nothing, and a blob that is cut short', async () => {
    const { cache } = await hubAndCache(FILES)
    await read(await open(), 'flux.bin')
    rmSync(join(cache, 'blobs', sha256(WEIGHTS)))
    expect(await read(await open(), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
    truncateSync(join(cache, 'blobs', sha256(WEIGHTS)), 99)
    rmSync(join(cache, 'snapshots'), { recursive: true })
    expect(await read(await open(), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
  })

  it('puts files themselves into snapshots where links are not wanted', async () => {
    const { cache } = await hubAndCache(FILES)
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', '1')
    expect(await read(await open(), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
    expect(lstatSync(join(cache, 'snapshots', COMMIT, 'flux.bin')).isFile()).toBe(true)
    expect(await read(await open(), 'flux.bin')).toEqual(Buffer.from(WEIGHTS))
  })

  it('has names of files that addresses write otherwise', async () => {
    const path = 'a b/50% #1?é.json'
    const { cache } = await hubAndCache({ [path]: CONFIG })
    expect(await (await open()).readText(path)).toBe(CONFIG)
    expect(readdirSync(join(cache, 'blobs'))).toEqual([etagOf(path, Buffer.from(CONFIG))])
    await expectFailure(read(await open(), '../x'), 'bad-argument', '../x')
  })
})
