import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodesTable } from '../../src/cli/nodes/table.ts'
import { VERSION } from '../../src/cli/package_info.ts'
import { modelDigest } from '../../src/cluster/model/digest.ts'
import type { NodeInfo } from '../../src/cluster/node/node_info.ts'
import { openRooms } from '../../src/cluster/rooms.ts'
import { connectTo } from '../../src/parallel/fabric/nats/connection.node.ts'
import { openModel } from '../../src/pipelines/open_model.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { start } from './support/in_process.ts'
import { freePort, HAS_NATS, type NatsServer, startNats } from './support/nats_server.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-cluster-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const file = (name: string, text: string): string => {
  const path = join(temporary, name)
  writeFileSync(path, text)
  return path
}
/** The exit code, and what stands on stderr. */
const run = async (...argv: string[]): Promise<[number, string]> => {
  const { code, err } = await runInProcess(argv)
  return [code, err.join('\n')]
}

const NODE: NodeInfo = {
  ...{ id: 'other', host: 'other', pid: 1, version: VERSION, devices: ['X'], meshes: 1, ranks: 1, jobs: [], done: 0 },
  ...{ memory: { host: 2 ** 34 }, flops: 1e12, link: { bandwidth: 1e8, latency: 1e-3 }, state: 'idle', skew: 0 },
  model: { name: 'pipeline_pixart_sigma', digest: '0123456789abcdef' },
}

describe('flags of a cluster', () => {
  it.each<[string[], number, string]>([
    [['nodes'], 2, 'a NATS server is needed: --nats nats://HOST:4222'],
    [['nodes', '--nats', 'http://x'], 1, 'the server is "http://x", expected an address such as nats://127.0.0.1:4222'],
    [['nodes', '--nats', 'nats://x', '--nats_token', '/no/such'], 1, 'cannot read /no/such (ENOENT)'],
    [['nodes', '--nats', 'nats://x', '--nats_cert', 'x'], 2, '--nats_cert and --nats_key belong together'],
    [['node', '--nats', 'nats://x', '--patience', '0'], 2, '--patience is 0, expected seconds from 0.5 to 3600'],
    [
      ['generate', '--prompt', 'x', '--nats', 'nats://x', '--weights', 'int8'],
      2,
      '--weights is for whoever starts a node',
    ],
    [['serve', '--nats', 'nats://x', '--devices', '2'], 2, '--devices is for whoever starts a node'],
  ])('%j is refused', async (argv, code, message) => {
    const [exit, said] = await run(...argv)
    expect([exit, said]).toEqual([code, expect.stringContaining(message)])
  })

  it('shows clocks that go wrong', () => {
    const [, late, early] = nodesTable([
      { ...NODE, skew: -61_000 },
      { ...NODE, skew: 2500 },
    ])
    expect([late.endsWith(' -61.0 s'), early.endsWith(' +2.5 s')]).toEqual([true, true])
  })

  it('tells checkpoints apart by their weights, and not by where they lie', async () => {
    const copy = join(temporary, 'copy')
    cpSync(MODEL, copy, { recursive: true })
    const digest = async (folder: string, weights?: string) => {
      const source = await openModel(folder)
      return modelDigest({ source, weights }).finally(() => source.close())
    }
    const first = await digest(MODEL)
    expect(await digest(copy)).toBe(first)
    expect(await digest(copy, 'int8')).not.toBe(first)
    const path = join(copy, 'transformer/diffusion_pytorch_model.safetensors')
    const descriptor = openSync(path, 'r+')
    writeSync(descriptor, Uint8Array.of(1), 0, 1, readFileSync(path).length - 1)
    expect(await digest(copy)).not.toBe(first)
  })
})

describe.skipIf(!HAS_NATS)('what goes wrong with a server', () => {
  it('says what to start where none answers, or one without JetStream', async () => {
    const nowhere = `nats://127.0.0.1:${await freePort()}`
    const [code, said] = await run('nodes', '--nats', nowhere)
    expect([code, said]).toEqual([1, expect.stringContaining(`no NATS server answers at ${nowhere.slice(7)}`)])
    expect(said).toContain('Start one there: nats-server -js')
    const port = await freePort()
    const { spawn } = await import('node:child_process')
    const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((ready) =>
      child.stderr.on('data', (text) => String(text).includes('Server is ready') && ready()),
    )
    expect(await run('nodes', '--nats', `nats://127.0.0.1:${port}`)).toEqual([
      1,
      expect.stringContaining('runs without JetStream'),
    ])
    child.kill()
  })

  describe('that asks for credentials', () => {
    const user = nkeys.createUser()
    let server: NatsServer
    beforeAll(async () => {
      server = await startNats(`authorization {
        users: [{ nkey: ${user.getPublicKey()} }, { user: anna, password: secret }]
      }`)
    })
    afterAll(() => server.stop())

    it('refuses others, and says which flag is meant', async () => {
      const [code, said] = await run('nodes', '--nats', server.url)
      expect([code, said]).toEqual([1, expect.stringContaining('refuses these credentials')])
      expect(said).toContain('--nats_token, --nats_nkey or --nats_creds')
      const other = file('other.nk', new TextDecoder().decode(nkeys.createUser().getSeed()))
      expect((await run('nodes', '--nats', server.url, '--nats_nkey', other))[0]).toBe(1)
    })

    it('lets in who has the key, or a password in the address', async () => {
      const own = file('own.nk', `${new TextDecoder().decode(user.getSeed())}\n`)
      expect((await run('nodes', '--nats', server.url, '--nats_nkey', own))[0]).toBe(0)
      expect((await run('nodes', '--nats', server.url.replace('//', '//anna:secret@')))[0]).toBe(0)
    })
  })

  it('speaks TLS, asks for the authority, and takes a token', async () => {
    const [key, certificate] = ['key.pem', 'cert.pem'].map((name) => join(temporary, name))
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', certificate]
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
    const tls = `tls { cert_file: ${JSON.stringify(certificate)}, key_file: ${JSON.stringify(key)} }`
    const server = await startNats(`${tls}\nauthorization { token: hush }`)
    const url = server.url.replace('nats:', 'tls:')
    const token = ['--nats_token', file('token', 'hush\n')]
    const [code, said] = await run('nodes', '--nats', url, ...token)
    expect([code, said]).toEqual([1, expect.stringContaining('no secure connection to the NATS server')])
    expect((await run('nodes', '--nats', url, ...token, '--nats_ca', certificate))[0]).toBe(0)
    expect((await run('nodes', '--nats', url, '--nats_ca', certificate))[0]).toBe(1)
    await server.stop()
  })

  describe('that has other nodes', () => {
    let server: NatsServer
    beforeAll(async () => {
      server = await startNats('max_payload: 4096')
    })
    afterAll(() => server.stop())

    const announce = async (info: NodeInfo) => {
      const nc = await connectTo({ servers: server.url }, 'test')
      const { nodes } = await openRooms(nc, 'webdit')
      await nodes.put(info.id, JSON.stringify(info))
      await nc.close()
    }

    it('lets no node join that runs another version, or has other weights by the same name', async () => {
      const join = () => run('node', '--nats', server.url, '--model', MODEL, '--device_flops', '1TFLOPS')
      await announce({ ...NODE, version: '0.0.9' })
      expect(await join()).toEqual([1, expect.stringContaining(`node other runs webdit 0.0.9, and this is ${VERSION}`)])
      await announce(NODE)
      const [code, said] = await join()
      expect([code, said]).toEqual([1, expect.stringContaining('node other has another checkpoint')])
      expect(said).toContain('its digest is 0123456789abcdef')
    })

    it('says which models there are, and what is too large for it', async () => {
      const one = start(
        ...['node', '--nats', server.url, '--cluster', 'own', '--model', MODEL, '--device_flops', '1TFLOPS'],
      )
      await one.began
      const ask = (prompt: string, ...flags: string[]) =>
        run(
          'generate',
          '--nats',
          server.url,
          '--cluster',
          'own',
          '--prompt',
          prompt,
          '--output_directory',
          temporary,
          ...flags,
        )
      const [code, said] = await ask('x', '--model', 'flux')
      expect([code, said]).toEqual([1, expect.stringContaining('no node draws "flux"')])
      expect(said).toMatch(/There are: pipeline_pixart_sigma \([0-9a-f]{16}\)/)
      expect(await ask('long '.repeat(900))).toEqual([
        1,
        expect.stringMatching(/the request takes \d{4} bytes, and the NATS server takes \d+ at once/),
      ])
      // Pictures are cut into pieces that it takes.
      const small = ['--no_use_resolution_binning', '--height', '64', '--width', '64', '--num_inference_steps', '1']
      expect((await ask('short', ...small))[0]).toBe(0)
      expect(await one.end()).toBe(0)
    })

    it('tells where no node has ever joined', async () => {
      const asked = await run('generate', '--nats', server.url, '--cluster', 'empty', '--prompt', 'x')
      expect(asked).toEqual([1, expect.stringContaining('no node has joined it yet')])
      expect(await run('nodes', '--nats', server.url, '--cluster', 'a b')).toEqual([
        1,
        expect.stringContaining('the cluster is called "a b", expected up to 32 letters'),
      ])
    })
  })
})
