import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, describe, expect, it } from 'vitest'
import { DENO, NO_DRIVER, runDeno, startOn } from '../support/deno.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { HAS_NATS, startNats } from './support/nats_server.ts'

const MAIN = new URL('../../src/cli/main.ts', import.meta.url)
const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-cluster-deno-'))
afterAll(() => rmSync(temporary, { recursive: true }))

describe.skipIf(!HAS_NATS)('a cluster in Deno', () => {
  it('has nodes and callers there, too', async () => {
    const server = await startNats()
    const own = ['--nats', server.url, '--model', MODEL, '--device_flops', '1TFLOPS', '--backend', 'dawn']
    const node = startOn(NO_DRIVER, [DENO, 'run', '-A', MAIN.pathname, 'node', ...own])
    let said = ''
    const ended = new Promise<number | null>((resolve) => node.on('exit', resolve))
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        said += chunk
        if (/^\S+ draws /m.test(said)) resolve()
      }
      node.stdout!.on('data', hear)
      node.stderr!.on('data', hear)
      void ended.then((code) => reject(new Error(`ended with ${code}: ${said}`)))
    })
    const flags = ['--height', '32', '--width', '48', '--no_use_resolution_binning', '--num_inference_steps', '1']
    const argv = ['generate', '--nats', server.url, '--prompt', 'x', '--output_directory', temporary, ...flags]
    const { code, stdout, stderr } = await runDeno(NO_DRIVER, MAIN, argv)
    expect([code, stderr]).toEqual([0, expect.stringContaining('cluster: one node draws pipeline_pixart_sigma')])
    const { width, height } = decode(readFileSync(stdout.trim()))
    expect([width, height]).toEqual([48, 32])
    node.kill('SIGTERM')
    expect(await ended).toBe(0)
    await server.stop()
  })
})
