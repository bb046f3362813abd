import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { progressLines } from '../../../../src/runtime/weights/hub/progress.node.ts'
import { hubSettings } from '../../../../src/runtime/weights/hub/settings.node.ts'
import { useCache } from './hub_cache.ts'

describe('the environment of huggingface_hub', () => {
  it('says where the cache is', async () => {
    const hub = dirname(useCache('https://a.mirror/hf/'))
    expect(await hubSettings()).toMatchObject({ endpoint: 'https://a.mirror/hf', cache: hub, offline: false })
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as in a shell
    vi.stubEnv('HF_HUB_CACHE', '~/$SOME_FOLDER/x${SOME_FOLDER}')
    vi.stubEnv('SOME_FOLDER', 'models')
    expect((await hubSettings()).cache).toBe(join(homedir(), 'models/xmodels'))
    for (const name of ['HF_HUB_CACHE', 'HF_HOME', 'HF_ENDPOINT']) vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CACHE_HOME', '/caches')
    expect(await hubSettings()).toMatchObject({
      endpoint: 'https://huggingface.co',
      cache: '/caches/huggingface/hub',
      answerTimeout: 10_000,
    })
    vi.stubEnv('XDG_CACHE_HOME', undefined)
    expect((await hubSettings()).cache).toBe(join(homedir(), '.cache/huggingface/hub'))
  })

  it('says which token goes along: the one that is set, or the one that hf auth login left', async () => {
    const home = dirname(dirname(useCache('https://a')))
    mkdirSync(home, { recursive: true })
    expect((await hubSettings()).token).toBeUndefined()
    writeFileSync(join(home, 'token'), 'hf_saved\n')
    expect((await hubSettings()).token).toBe('hf_saved')
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1')
    expect((await hubSettings()).token).toBeUndefined()
    vi.stubEnv('HF_TOKEN', 'hf_set')
    expect((await hubSettings()).token).toBe('hf_set')
  })
})

describe('lines of progress', () => {
  it('tell of large files when they begin, now and then, and when they are done', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const lines: string[] = []
    const tell = progressLines((line) => lines.push(line))
    const size = 100 * 2 ** 20
    const at = (bytes: number, file = 'a/b/w') =>
      tell({ file, bytes, size: file === 'small' ? 1000 : size, waiting: false })
    at(1000, 'small')
    at(30 * 2 ** 20)
    vi.advanceTimersByTime(5000)
    at(50 * 2 ** 20)
    vi.advanceTimersByTime(5000)
    at(70 * 2 ** 20)
    vi.advanceTimersByTime(1000)
    at(size)
    tell({ file: 'a/b/v', bytes: 0, size, waiting: true })
    vi.useRealTimers()
    expect(lines).toEqual([
      'fetching a/b/w: 100.0 MiB, 30.0 MiB of them are here',
      'fetching a/b/w: 70.0 MiB of 100.0 MiB, 4.0 MiB/s',
      'fetching a/b/w: fetched, 6.4 MiB/s',
      'a/b/v: waiting for another process that fetches it',
    ])
  })
})
