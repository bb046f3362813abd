import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { useCache } from '../runtime/weights/hub/hub_cache.ts'
import { filesIn, ID, refuse, startHub } from '../runtime/weights/hub/hub_server.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { runInProcess } from './run_in_process.ts'

const FOLDER = join(GOLDEN, 'pipeline_pixart_sigma')

/** One step of a small picture. */
function generate(model: string) {
  const folder = mkdtempSync(join(tmpdir(), 'webdit-hub-pictures-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const size = ['--height', '64', '--width', '64', '--no_use_resolution_binning', '--num_inference_steps', '1']
  const flags = ['--prompt', 'cat', '--seed', '1', '--output_directory', folder]
  return runInProcess(['generate', '--model', model, ...size, ...flags])
}

describe('--model org/name', () => {
  it('draws what the folder draws, then again offline', async () => {
    const server = await startHub(filesIn(FOLDER))
    useCache(server.endpoint)
    const pictures: ReturnType<typeof decode>[] = []
    for (const model of [FOLDER, ID, `${ID}@main`]) {
      const { code, out, err } = await generate(model)
      expect(code, err.join('\n')).toBe(0)
      pictures.push(decode(readFileSync(out[0])))
      if (model === ID) vi.stubEnv('HF_HUB_OFFLINE', '1')
    }
    const [fromFolder, fromHub, offline] = pictures
    expect(Buffer.from(fromHub.data as Uint8Array).equals(fromFolder.data as Uint8Array)).toBe(true)
    expect(Buffer.from(offline.data as Uint8Array).equals(fromFolder.data as Uint8Array)).toBe(true)
    expect(fromHub.text.model).toBe('small-model_1.0')
  })

  it('says in two lines what to do about a gated model, and about none', async () => {
    const server = await startHub(new Map())
    useCache(server.endpoint)
    server.instead = (path, response) => {
      if (path.includes('gated')) refuse(response, 401, 'GatedRepo', 'Access to model some/gated is restricted.')
      return path.includes('gated')
    }
    const gated = await generate('some/gated')
    expect(gated.code).toBe(1)
    expect(gated.err).toEqual([
      expect.stringMatching(/^webdit: some\/gated is gated, and no token was sent/),
      expect.stringMatching(/Accept the licence on .*\/some\/gated, then set HF_TOKEN/),
    ])
    const none = await generate('models/no-such-folder')
    expect(none.code).toBe(1)
    expect(none.err).toEqual([
      expect.stringContaining(`there is no model models/no-such-folder on ${server.endpoint}`),
      expect.stringMatching(/Check the id: .* If you meant a folder: there is none of that name here\./),
    ])
  })
})
