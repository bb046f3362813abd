import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { openModel } from '../../../../src/pipelines/open_model.ts'
import { expectFailure } from '../expect_failure.ts'
import { hubAndCache, nowhere, open, read, useCache } from './hub_cache.ts'
import { COMMIT, ID, refuse } from './hub_server.ts'

const FILES = { 'model_index.json': '{}', 'vae/config.json': '{"a": 1}' }

describe('what a hub refuses', () => {
  it.each([
    ['a gated model', 401, 'GatedRepo', 'io', 'is gated, and no token was sent', 'Accept the licence on'],
    [
      'one that the token may not read',
      403,
      'GatedRepo',
      'io',
      'the token in use gives no right',
      'Accept the licence on',
    ],
    ['one that is forbidden', 403, undefined, 'io', 'is gated', 'set HF_TOKEN'],
    ['one that is not for everybody', 401, 'RepoNotFound', 'io', 'does not exist, or is not for', 'Check the id'],
    ['no such model', 404, 'RepoNotFound', 'not-found', 'there is no model some-org/', 'Check the id'],
    ['no such model, said by a mirror', 404, undefined, 'not-found', 'there is no model some-org/', 'Check the id'],
    ['no such revision', 404, 'RevisionNotFound', 'not-found', "no revision 'v9'", 'a branch, a tag or a commit'],
    ['too many requests', 429, undefined, 'io', 'answered 429', 'later'],
    ['a broken hub', 500, undefined, 'io', 'answered 500: It is down', 'later'],
  ] as const)('%s', async (_, status, code, kind, message, hint) => {
    const { server } = await hubAndCache(FILES)
    if (message.includes('the token')) vi.stubEnv('HF_TOKEN', 'hf_x')
    server.instead = (_path, response) => {
      refuse(response, status, code, status === 500 ? 'It is down' : undefined)
      return true
    }
    const error = await expectFailure(open(`${ID}@v9`), kind, message)
    expect(error.hint).toContain(hint)
    const byName = await expectFailure(openModel(`${ID}@v9`), kind, message)
    expect(byName.hint).toContain('none of that name here')
  })

  it('a file that is gated though the list is not', async () => {
    const { server } = await hubAndCache(FILES)
    server.instead = (path, response) => {
      if (!path.includes('/resolve/')) return
      refuse(response, 403, 'GatedRepo', 'Access to model some-org/x is restricted')
      return true
    }
    const error = await expectFailure((await open()).readText('model_index.json'), 'io', 'is gated', 'restricted')
    expect(error.hint).toContain(`${server.endpoint}/${ID}`)
  })

  it('a file that is not there', async () => {
    const { server } = await hubAndCache(FILES)
    const source = await open()
    await expectFailure(source.readText('vae/x.json'), 'not-found', `${ID}/vae/x.json`)
    server.files.delete('vae/config.json')
    await expectFailure(source.readText('vae/config.json'), 'not-found', 'has no file vae/config.json')
  })

  it.each([
    ['a page of HTML', '<html></html>'],
    ['another JSON', '{"sha": "../../x", "siblings": []}'],
    ['null', 'null'],
  ])('%s is no hub', async (_, body) => {
    const { server } = await hubAndCache(FILES)
    server.instead = (_path, response) => {
      response.end(body)
      return true
    }
    expect((await expectFailure(open(), 'corrupt', 'not answered as')).hint).toContain('HF_ENDPOINT')
  })

  it('an etag that would leave the folder of blobs', async () => {
    const { server } = await hubAndCache(FILES)
    server.instead = (path, response) => {
      if (!path.includes('/resolve/')) return
      response.writeHead(200, { ETag: '"../../../x"', 'Content-Length': 2 }).end('{}')
      return true
    }
    await expectFailure((await open()).readText('model_index.json'), 'corrupt', 'not answered as')
  })
})

describe('without a hub', () => {
  it('says that it cannot be reached', async () => {
    const endpoint = await nowhere()
    useCache(endpoint)
    const error = await expectFailure(open(), 'io', `cannot reach ${endpoint} for ${ID}`, 'ECONNREFUSED')
    expect(error.hint).toContain('Check the connection')
  })

  it('does not wait long for an answer', async () => {
    const { server } = await hubAndCache(FILES)
    vi.stubEnv('HF_HUB_ETAG_TIMEOUT', '0.2')
    server.instead = () => true
    await expectFailure(open(), 'io', 'no answer in 0.2 s')
  })

  it('takes the cache, says so, and says what is missing there', async () => {
    const { server } = await hubAndCache(FILES)
    await read(await open(), 'vae/config.json')
    const endpoint = await nowhere()
    vi.stubEnv('HF_ENDPOINT', endpoint)
    const onNotice = vi.fn()
    const source = await open(ID, { onNotice })
    expect(await source.readText('vae/config.json')).toBe('{"a": 1}')
    expect(onNotice.mock.calls).toEqual([[expect.stringContaining(`cannot reach ${endpoint}`)]])
    await expectFailure(source.readText('model_index.json'), 'not-found', `${ID}/model_index.json is not in the cache`)
    expect(source.pinned).toBe(`${ID}@${COMMIT}`)
    expect(server.requests.filter((line) => line.includes('model_index'))).toEqual([])
  })

  it('is told by HF_HUB_OFFLINE to ask nobody, and says what to do where the cache has nothing', async () => {
    const { server, cache } = await hubAndCache(FILES)
    vi.stubEnv('HF_HUB_OFFLINE', 'yes')
    const error = await expectFailure(open(), 'not-found', ID, 'is not in the cache', 'HF_HUB_OFFLINE')
    expect(error.hint).toContain('without HF_HUB_OFFLINE')
    expect(server.requests).toEqual([])

    vi.stubEnv('HF_HUB_OFFLINE', '')
    await read(await open(), 'vae/config.json')
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    const missing = (await open()).readText('model_index.json')
    await expectFailure(missing, 'not-found', 'model_index.json is not in the cache, and HF_HUB_OFFLINE')
    await expectFailure(open(`${ID}@v1`), 'not-found', `${ID}@v1`)
    rmSync(join(cache, 'snapshots'), { recursive: true })
    await expectFailure(open(), 'not-found', 'is not in the cache')
  })
})
