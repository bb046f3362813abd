import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { CliIo } from '../../../src/cli/command.ts'
import { runCli } from '../../../src/cli/run.ts'
import { testDevice } from '../../support/device.ts'
import { GOLDEN } from '../../support/golden_io.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-serve-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** Starts `webdit serve` in this process; its address, and how it ends. */
function serve(...flags: string[]) {
  const stop = new AbortController()
  const notes: string[] = []
  let found = (_: string) => {}
  const address = new Promise<string>((resolve) => {
    found = resolve
  })
  const io: CliIo = {
    print: (line) => found(line),
    note: (line) => notes.push(line),
    status() {},
    terminal: false,
    signal: stop.signal,
    openDevice: async () => ({ device: await testDevice(), close() {} }),
  }
  const ended = runCli(['serve', '--model', MODEL, '--port', '0', ...flags], io)
  return { address, notes, ended, stop: () => stop.abort() }
}

const BODY = {
  prompt: 'x',
  size: '32x32',
  num_inference_steps: 1,
  use_resolution_binning: false,
  max_sequence_length: 8,
}
const post = (address: string, headers: Record<string, string> = {}) =>
  fetch(`${address}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(BODY),
  })

describe('webdit serve', () => {
  it('listens on this machine alone, draws for who has a key, and ends at Ctrl-C', async () => {
    const keys = join(temporary, 'keys.txt')
    writeFileSync(keys, '# of a friend\nsecret\n')
    const { address, ended, stop, notes } = serve('--api_keys', keys, '--model_name', 'small')
    const at = await address
    expect(at).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await post(at)).status).toBe(401)
    const answer = await post(at, { authorization: 'Bearer secret' })
    expect(answer.status).toBe(200)
    const models = await fetch(`${at}/v1/models`, { headers: { authorization: 'Bearer secret' } })
    expect(await models.json()).toMatchObject({ data: [{ id: 'small' }] })
    stop()
    expect([await ended, notes.filter((line) => /error/.test(line))]).toEqual([0, []])
    await expect(fetch(`${at}/healthz`)).rejects.toThrow()
  })

  it('opens several meshes for one queue', async () => {
    // Drawing on both would compile everything twice: the queue's own tests have that.
    const { address, ended, stop } = serve('--data_parallel_degree', '2', '--workers', 'one_device', '--tier', 'f32')
    const at = await address
    expect(await (await fetch(`${at}/metrics`)).text()).toContain('\nwebdit_meshes_open 2\n')
    stop()
    expect(await ended).toBe(0)
  })

  it.each<[string[], number, string]>([
    [['--port', '70000'], 2, '--port is 70000, expected a number from 0 to 65535'],
    [['--queue', '2'], 2, '--max_n is 10, more than the 2 places of --queue'],
    [['--cors_origin', 'example.org/x'], 2, '--cors_origin is "example.org/x", expected an origin'],
    [['--api_keys', '/no/such/file'], 1, 'cannot read /no/such/file (ENOENT)'],
    [['--host', '203.0.113.1'], 1, 'cannot listen on 203.0.113.1, port 0 (EADDRNOTAVAIL)'],
  ])('refuses %j', async (flags, code, message) => {
    const { ended, notes } = serve(...flags)
    expect([await ended, notes.join('\n')]).toEqual([code, expect.stringContaining(message)])
  })
})
