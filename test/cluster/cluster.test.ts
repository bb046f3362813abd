import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { NodeInfo } from '../../src/cluster/node/node_info.ts'
import { jobsInQueue, openRooms } from '../../src/cluster/rooms.ts'
import { connectTo } from '../../src/parallel/fabric/nats/connection.node.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { readSafetensorsHeader, readTensor } from '../../src/runtime/weights/safetensors.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { type Running, start, until } from './support/in_process.ts'
import { HAS_NATS, type NatsServer, startNats } from './support/nats_server.ts'
import { startRelay } from './support/relay.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const SMALL = ['--height', '32', '--width', '48', '--no_use_resolution_binning', '--num_inference_steps', '2']
const temporary = mkdtempSync(join(tmpdir(), 'webdit-cluster-'))
afterAll(() => rmSync(temporary, { recursive: true }))

describe.skipIf(!HAS_NATS)('a cluster', () => {
  let server: NatsServer
  const running: Running[] = []
  beforeAll(async () => {
    server = await startNats()
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.end()))
  })
  afterAll(() => server.stop())

  const begin = (...argv: string[]): Running => {
    const one = start(...argv)
    running.push(one)
    return one
  }
  const node = (...flags: string[]) =>
    begin('node', '--nats', server.url, '--model', MODEL, '--device_flops', '2TFLOPS', ...flags)
  const nodes = async (): Promise<NodeInfo[]> => {
    const { out } = await runInProcess(['nodes', '--nats', server.url, '--json'])
    return out.map((line) => JSON.parse(line))
  }
  const folder = () => mkdtempSync(join(temporary, 'run-'))
  const generate = (url: string, ...flags: string[]) =>
    start('generate', '--nats', url, '--output_directory', folder(), '--seed', '5', ...SMALL, ...flags)

  it('draws each prompt as a machine alone does, tells of its nodes, and lets them go', async () => {
    const one = node()
    expect(await one.began).toMatch(/^\S+ draws pipeline_pixart_sigma \(PixArtSigmaPipeline, [0-9a-f]{16}\)$/)
    const prompts = ['--prompt', 'a dog', 'a cat', '--negative_prompt', 'rain', 'snow', '--num_images_per_prompt', '2']
    const flags = [...prompts, '--seed', '5', ...SMALL]
    const far = await runInProcess(['generate', '--nats', server.url, '--output_directory', folder(), ...flags])
    expect([far.code, far.out.length]).toEqual([0, 4])
    expect(far.err).toContain('cluster: one node draws pipeline_pixart_sigma')
    for (const [k, prompt] of ['a dog', 'a cat'].entries()) {
      const alone = ['--prompt', prompt, '--negative_prompt', ['rain', 'snow'][k], '--num_images_per_prompt', '2']
      const argv = ['generate', '--model', MODEL, '--output_directory', folder(), ...alone, '--seed', '5', ...SMALL]
      for (const [i, path] of (await runInProcess(argv)).out.entries()) {
        const [near, there] = [path, far.out[2 * k + i]].map((file) => decode(readFileSync(file)))
        expect(there.data).toEqual(near.data)
        expect({ ...there.text, picture: '' }).toEqual({ ...near.text, picture: '' })
      }
    }
    const [info] = await nodes()
    expect(info).toMatchObject({ state: 'idle', ranks: 1, meshes: 1, done: 2, flops: 2e12, jobs: [] })
    expect(info.link.bandwidth).toBeGreaterThan(1e6)
    expect(Math.abs(info.skew)).toBeLessThan(1000)
    const table = await runInProcess(['nodes', '--nats', server.url])
    expect(table.out).toHaveLength(2)
    expect(table.out[1]).toMatch(new RegExp(`^${info.id} +idle +pipeline_pixart_sigma .* 2 +\\d+\\.\\d+\\.\\d+ +ok$`))
    expect(await one.end()).toBe(0)
    expect((await runInProcess(['nodes', '--nats', server.url])).out).toEqual(['no node is there'])
  })

  it('keeps a job until a node comes, and while the caller is cut off', async () => {
    await node().began
    await Promise.all(running.splice(0).map((one) => one.end()))
    const relay = await startRelay(server.port)
    const caller = generate(`nats://127.0.0.1:${relay.port}`, '--prompt', 'late', '--output_type', 'latent')
    await until(() => caller.notes.some((line) => /no node draws .* at the moment/.test(line)))
    const nc = await connectTo({ servers: server.url }, 'test')
    const rooms = await openRooms(nc, 'webdit')
    await until(async () => (await jobsInQueue(rooms)) === 1)
    relay.cut()
    await node().began
    await until(async () => (await jobsInQueue(rooms)) === 0)
    relay.mend()
    const path = await caller.began
    expect(path).toMatch(/\.safetensors$/)
    const source = memorySource(new Map([['x', new Uint8Array(readFileSync(path as string))]]))
    expect((await readTensor(source, await readSafetensorsHeader(source, 'x'), 'latents')).shape).toEqual([1, 4, 4, 6])
    expect(await caller.code).toBe(0)
    await nc.close()
    await relay.close()
  })

  it('answers HTTP requests with what nodes draw', async () => {
    await node('--model_name', 'small').began
    const address = await begin('serve', '--nats', server.url, '--model', 'small', '--port', '0').began
    const body = { prompt: 'x', size: '32x32', num_inference_steps: 1, use_resolution_binning: false, seed: 3 }
    const answer = await fetch(`${address}/v1/images/generations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, n: 2 }),
    })
    expect(answer.status).toBe(200)
    const { data } = (await answer.json()) as { data: { b64_json: string }[] }
    const pictures = data.map((one) => decode(Buffer.from(one.b64_json, 'base64')))
    expect(pictures.map(({ width, height }) => [width, height])).toEqual([
      [32, 32],
      [32, 32],
    ])
    expect(pictures[0].data).not.toEqual(pictures[1].data)
    expect((await fetch(`${address}/metrics`)).status).toBe(200)
  })

  it('brings what a node refuses to whoever asked, and goes on', async () => {
    const own = node('--metrics_port', '0')
    await own.began
    const wrong = generate(server.url, '--prompt', 'x', '--height', '33')
    expect(await wrong.code).toBe(1)
    expect(wrong.notes.join('\n')).toContain('webdit: height is 33, which 16 does not divide')
    const right = generate(server.url, '--prompt', 'x')
    expect(await right.code).toBe(0)
    const metrics = own.notes.find((line) => line.startsWith('metrics: '))!.slice(9)
    const text = await (await fetch(metrics)).text()
    expect(text).toContain('webdit_node_jobs_total{outcome="drawn"} 1')
    expect(text).toContain('webdit_node_jobs_total{outcome="failed"} 1')
    expect(text).toContain('webdit_node_steps_total 2')
  })

  it('leaves a job whose caller has gone, and finishes one before it ends', async () => {
    const own = node()
    await own.began
    const steps = ['--num_inference_steps', '400']
    const gone = generate(server.url, '--prompt', 'gone', ...steps)
    await until(async () => (await nodes())[0]?.state === 'drawing')
    expect(await gone.end()).toBe(130)
    await until(async () => (await nodes())[0].state === 'idle')
    expect((await nodes())[0].done).toBe(0)
    const last = generate(server.url, '--prompt', 'last', '--num_inference_steps', '30')
    await until(async () => (await nodes())[0]?.state === 'drawing')
    expect(await own.end()).toBe(0)
    expect(own.notes).toContain('finishing one job')
    expect(await last.code).toBe(0)
  })
})
