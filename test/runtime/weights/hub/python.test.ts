import { execFile, spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { hubAndCache, noise, open, read } from './hub_cache.ts'
import { COMMIT, ID } from './hub_server.ts'

/** One that has huggingface_hub 1.x: pip install huggingface_hub. */
const PYTHON = process.env.WEBDIT_PYTHON ?? 'python3'
const found = spawnSync(PYTHON, ['-c', 'import huggingface_hub']).status === 0

/** What a program prints as JSON. Not waited for in this thread: the hub that it asks is here. */
async function python(lines: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(PYTHON, ['-c', ['import json', ...lines].join('\n')], {
    env: { ...process.env, HF_HUB_DISABLE_PROGRESS_BARS: '1', HF_HUB_DISABLE_XET: '1' },
  })
  return JSON.parse(stdout)
}

const WEIGHTS = Buffer.from(noise(100_000))
const FILES = { 'model_index.json': '{}', 'vae/w.safetensors': WEIGHTS, 'vae/config.json': '{"a": 1}' }

describe.skipIf(!found)('the cache of huggingface_hub', () => {
  it('is what Python finds there after a model was read here', async () => {
    const { server, cache } = await hubAndCache(FILES)
    const source = await open()
    for (const path of Object.keys(FILES)) await read(source, path)
    server.requests.length = 0
    const seen = await python([
      'from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache',
      'scan = scan_cache_dir()',
      '[repo] = scan.repos',
      '[revision] = repo.revisions',
      'print(json.dumps({',
      `  'snapshot': snapshot_download('${ID}', local_files_only=True),`,
      `  'weights': try_to_load_from_cache('${ID}', 'vae/w.safetensors'),`,
      `  'offline': hf_hub_download('${ID}', 'vae/config.json', local_files_only=True),`,
      `  'online': hf_hub_download('${ID}', 'vae/w.safetensors'),`,
      `  'warnings': [str(w) for w in scan.warnings], 'repo': repo.repo_id, 'commit': revision.commit_hash,`,
      `  'refs': sorted(revision.refs), 'size': repo.size_on_disk, 'files': sorted(f.file_name for f in revision.files),`,
      '}))',
    ])
    const snapshot = join(realpathSync(join(cache, 'snapshots')), COMMIT)
    expect(seen).toEqual({
      snapshot,
      weights: join(cache, 'snapshots', COMMIT, 'vae/w.safetensors'),
      offline: join(snapshot, 'vae/config.json'),
      online: join(snapshot, 'vae/w.safetensors'),
      warnings: [],
      repo: ID,
      commit: COMMIT,
      refs: ['main'],
      size: 100_000 + 8 + 2,
      files: ['config.json', 'model_index.json', 'w.safetensors'],
    })
    expect(server.requests.filter((line) => line.includes('/resolve/') && !line.startsWith('HEAD'))).toEqual([])
  })

  it('is read here as Python left it, without a question to anybody', async () => {
    const { server } = await hubAndCache(FILES)
    const paths = Object.keys(FILES)
    await python([
      'from huggingface_hub import hf_hub_download',
      `print(json.dumps([hf_hub_download('${ID}', path) for path in ${JSON.stringify(paths)}]))`,
    ])
    server.requests.length = 0
    expect((await read(await open(), 'vae/w.safetensors')).equals(WEIGHTS)).toBe(true)
    expect(server.requests).toEqual([`GET /api/models/${ID}/revision/main`])
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect((await read(await open(), 'vae/w.safetensors')).equals(WEIGHTS)).toBe(true)
    expect(await (await open(`${ID}@${COMMIT}`)).readText('vae/config.json')).toBe('{"a": 1}')
    expect(server.requests).toHaveLength(1)
  })
})
