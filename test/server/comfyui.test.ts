import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/server/api/app.ts'
import { type Listening, listen } from '../../src/server/listen.ts'
import type { Serving } from '../../src/server/serving.ts'
import { TestDrawer, testServing } from './test_drawer.ts'

// The Python client of the ComfyUI node, against the server itself.

const FOLDER = join(import.meta.dirname, '../../integrations/comfyui')
const python = spawnSync('python3', ['--version']).status === 0
if (!python) console.log('no python3 here: the client of the ComfyUI node is not run')

/** Prints what `generate` gives, or how it fails: server and fields are arguments. */
const PROGRAM = `
import base64, json, sys
from client import generate, ServerError
server, fields, stop = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
events = []
def note(event):
    events.append([event["type"].split(".")[-1], event.get("step")])
    if len(events) == stop: raise KeyboardInterrupt
try:
    drawn = generate(server, fields, on_event=note)
    print(json.dumps({"events": events, "pictures": [[base64.b64encode(png).decode(), seed] for png, seed in drawn]}))
except ServerError as error:
    print(json.dumps({"error": str(error)}))
except KeyboardInterrupt:
    print(json.dumps({"stopped": len(events)}))
`
const run = promisify(execFile)
const client = async (server: string, fields: object, stop = 0) => {
  const args = ['-c', PROGRAM, server, JSON.stringify(fields), String(stop)]
  return JSON.parse(
    (await run('python3', args, { cwd: FOLDER, env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } })).stdout,
  )
}

describe.skipIf(!python)('the client of the ComfyUI node', () => {
  const drawer = new TestDrawer()
  let serving: Serving
  let listening: Listening
  let address = ''
  beforeAll(async () => {
    drawer.steps = 3
    serving = await testServing([drawer], {})
    listening = await listen(createApp(serving), '127.0.0.1', 0)
    address = `http://127.0.0.1:${listening.port}`
  })
  afterAll(async () => {
    await listening.close()
    await serving.feed.close()
  })

  it('gets pictures with their seeds, and hears of each step', async () => {
    const fields = { prompt: 'a “cat”', n: 2, size: '48x32', seed: 7, negative_prompt: null, partial_images: 3 }
    const { pictures, events } = await client(address, fields)
    expect(pictures.map(([, seed]: [string, number]) => seed)).toEqual([7, 8])
    for (const [png] of pictures) expect(decode(Buffer.from(png, 'base64'))).toMatchObject({ width: 48, height: 32 })
    expect(drawer.calls.at(-1)!.prompts).toEqual(['a “cat”', 'a “cat”'])
    const steps = events.filter(([type]: [string]) => type === 'in_progress').map(([, step]: [string, number]) => step)
    expect(new Set(steps)).toEqual(new Set([1, 2, 3]))
    expect(events.some(([type]: [string]) => type === 'partial_image')).toBe(true)
  })

  it('tells what the server refused, and where none answers', async () => {
    expect((await client(address, { prompt: 'x', size: 'big' })).error).toContain('size is "big"')
    expect((await client('http://127.0.0.1:1', { prompt: 'x' })).error).toContain('start one there with `webdit serve`')
  })

  it('stops the server where its caller does', async () => {
    let steps = 0
    drawer.before = () => new Promise((resolve) => setTimeout(resolve, 20, steps++))
    drawer.steps = 1000
    expect(await client(address, { prompt: 'x', size: '32x32' }, 2)).toEqual({ stopped: 2 })
    drawer.steps = 1
    expect((await client(address, { prompt: 'next', size: '32x32' })).pictures).toHaveLength(1)
    expect(steps).toBeLessThan(200)
  })
})
