import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { httpSource } from '../../../src/runtime/weights/http_source.ts'
import { expectFailure } from './expect_failure.ts'

const BYTES = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 9)) % 256)
const FILES: Record<string, Uint8Array> = {
  'vae/a.bin': BYTES,
  'config.json': new TextEncoder().encode('{"é": 1}'),
  'a b/50% #1?.bin': Uint8Array.of(1, 2, 3),
  empty: new Uint8Array(0),
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Serves on a free port; returns the address of the folder, and the requests so far. */
async function serve(handler: Handler): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim())
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/my%20model`, requests }
}

const fileOf = ({ url }: IncomingMessage): Uint8Array | undefined =>
  FILES[decodeURIComponent(new URL(url!, 'http://x').pathname).replace('/my model/', '')]

/** A server as it should be. */
const ranged: Handler = (request, response) => {
  const bytes = fileOf(request)
  if (!bytes) return void response.writeHead(404, { 'Content-Type': 'text/html' }).end('<h1>Not Found</h1>')
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (first === undefined) return void response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes)
  if (Number(first) >= bytes.length) {
    return void response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end()
  }
  const part = bytes.subarray(Number(first), Number(last) + 1)
  const range = `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}`
  response.writeHead(206, { 'Content-Range': range, 'Content-Length': part.length }).end(part)
}

/** A server that knows no ranges. */
const whole =
  (
    headers: (bytes: Uint8Array) => Record<string, string | number> = (bytes) => ({ 'Content-Length': bytes.length }),
  ): Handler =>
  (request, response) => {
    const bytes = fileOf(request)
    if (!bytes) return void response.writeHead(404).end()
    response.writeHead(200, headers(bytes)).end(bytes)
  }

async function read(source: ReturnType<typeof httpSource>, path: string, offset: number, length: number) {
  const target = new Uint8Array(length)
  await source.readInto(path, offset, target)
  return target
}

const silent = { onNotice: () => {} }

describe.each<[string, Handler]>([
  ['gives ranges', ranged],
  ['ignores ranges', whole()],
  ['ignores ranges and tells no length', whole(() => ({}))],
])('a server that %s', (_, handler) => {
  it('gives sizes and byte ranges', async () => {
    const { url } = await serve(handler)
    const source = httpSource(url, silent)
    expect(source.name).toBe(url.replace('%20', ' '))
    expect(await source.size('vae/a.bin')).toBe(BYTES.length)
    expect(await source.exists('vae/a.bin')).toBe(true)
    expect(await source.exists('vae/b.bin')).toBe(false)
    for (const [offset, length] of [
      [0, 10],
      [65_530, 12],
      [65_536, 1],
      [100_001, 150_003],
      [299_999, 1],
      [300_000, 0],
      [0, 300_000],
    ]) {
      const bytes = await read(source, 'vae/a.bin', offset, length)
      expect(Buffer.compare(bytes, BYTES.subarray(offset, offset + length))).toBe(0)
    }
    expect(await source.readText('config.json')).toBe('{"é": 1}')
    expect([...(await read(source, 'a b/50% #1?.bin', 1, 2))]).toEqual([2, 3])
    expect(await source.size('empty')).toBe(0)
    await source.close()
  })

  it('refuses what is not there, in words', async () => {
    const { url } = await serve(handler)
    const source = httpSource(url, silent)
    const error = await expectFailure(source.size('vae/b.bin'), 'not-found', 'my model/vae/b.bin')
    expect(error.hint).toContain('diffusers folder')
    await expectFailure(source.readInto('vae/a.bin', 299_999, new Uint8Array(2)), 'corrupt', '300000', '300001')
    await expectFailure(source.size('../secret'), 'bad-argument')
    await expectFailure(source.exists('/etc/passwd'), 'bad-argument')
  })
})

describe('requests', () => {
  it('are one for a small file, and one more for each range of a large one', async () => {
    const { url, requests } = await serve(ranged)
    const source = httpSource(`${url}/?token=s3cret#x`)
    expect(await source.exists('config.json')).toBe(true)
    expect(await source.readText('config.json')).toBe('{"é": 1}')
    await read(source, 'vae/a.bin', 0, 1000)
    await read(source, 'vae/a.bin', 70_000, 200_000)
    expect(requests).toEqual([
      'GET /my%20model/config.json?token=s3cret bytes=0-65535',
      'GET /my%20model/vae/a.bin?token=s3cret bytes=0-65535',
      'GET /my%20model/vae/a.bin?token=s3cret bytes=70000-269999',
    ])
    expect((await expectFailure(source.size('b'), 'not-found')).message).not.toContain('s3cret')
  })

  it('carry the headers they were given', async () => {
    const seen: unknown[] = []
    const { url } = await serve((request, response) => {
      seen.push(request.headers.authorization)
      ranged(request, response)
    })
    await read(httpSource(url, { headers: { Authorization: 'Bearer abc' } }), 'vae/a.bin', 0, 100_000)
    expect(seen).toEqual(['Bearer abc', 'Bearer abc'])
  })

  it('ask for the length where the server keeps Content-Range to itself', async () => {
    const { url, requests } = await serve((request, response) => {
      const writeHead = response.writeHead.bind(response)
      response.writeHead = ((status: number, { 'Content-Range': _, ...headers }: Record<string, string>) =>
        writeHead(status, headers)) as typeof response.writeHead
      ranged(request, response)
    })
    const source = httpSource(url)
    expect(await read(source, 'vae/a.bin', 100_000, 9)).toEqual(BYTES.slice(100_000, 100_009))
    expect(requests.map((line) => line.split(' ')[0])).toEqual(['GET', 'HEAD', 'GET'])
  })
})

describe('a server without ranges', () => {
  it('is noticed once', async () => {
    const notices: string[] = []
    const { url, requests } = await serve(whole())
    const source = httpSource(url, { onNotice: (text) => notices.push(text) })
    await source.readText('config.json')
    expect(notices).toEqual([])
    for (let i = 0; i < 3; i++) await read(source, 'vae/a.bin', i * 90_000, 90_000)
    expect(notices).toEqual([expect.stringContaining('no byte ranges')])
    expect(requests.length).toBe(2)
  })

  it.each([
    ['tells the length', whole()],
    ['tells none', whole(() => ({}))],
  ])('may not fill the memory: %s', async (_, handler) => {
    const { url } = await serve(handler)
    const source = httpSource(url, { ...silent, maxWholeBytes: 299_999 })
    const error = await expectFailure(source.size('vae/a.bin'), 'unsupported', 'my model/vae/a.bin', 'no byte ranges')
    expect(error.hint).toContain('Range')
  })

  it('has its files forgotten in turn where together they are too many', async () => {
    const { url, requests } = await serve((_, response) => response.end(BYTES.subarray(0, 100_000)))
    const source = httpSource(url, { ...silent, maxWholeBytes: 250_000 })
    for (const path of ['a', 'b', 'a', 'c', 'a', 'b']) await source.size(path)
    expect(requests.map((line) => line.split(' ')[1].at(-1))).toEqual(['a', 'b', 'c', 'b'])
  })
})

describe('what goes wrong on the way', () => {
  it('a web page in place of the file', async () => {
    const { url } = await serve((_, response) =>
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<html>'),
    )
    const source = httpSource(url)
    expect(await source.exists('latent_preview.json')).toBe(false)
    await expectFailure(source.readText('model_index.json'), 'not-found', 'model_index.json', 'web page')
  })

  it.each([
    [403, 'io', 'right to read'],
    [500, 'io', 'later'],
    [429, 'io', 'later'],
    [400, 'io', 'address'],
  ] as const)('status %i', async (status, kind, hint) => {
    const { url } = await serve((_, response) => response.writeHead(status).end('no'))
    const error = await expectFailure(httpSource(url).exists('config.json'), kind, String(status), 'config.json')
    expect(error.hint).toContain(hint)
  })

  it('nobody there', async () => {
    const { url } = await serve(ranged)
    for (const close of closing.splice(0)) close()
    const error = await expectFailure(httpSource(url).size('config.json'), 'io', 'cannot reach', 'ECONNREFUSED')
    expect(error.hint).toContain('Access-Control-Allow-Origin')
  })

  it('a connection that breaks', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 0-65535/300000', 'Content-Length': 65_536 })
      response.write(BYTES.subarray(0, 1000), () => response.destroy())
    })
    await expectFailure(httpSource(url).size('vae/a.bin'), 'io', 'broke off after 1000 bytes')
  })

  it('fewer bytes than were asked for', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 0-999/300000' }).end(BYTES.subarray(0, 1000))
    })
    await expectFailure(httpSource(url).size('vae/a.bin'), 'corrupt', 'sent 1000 bytes where 65536')
  })

  it('other bytes than were asked for', async () => {
    const { url } = await serve((request, response) => {
      if (request.headers.range?.startsWith('bytes=0-')) return ranged(request, response)
      response.writeHead(206, { 'Content-Range': 'bytes 5-9/300000' }).end(BYTES.subarray(5, 10))
    })
    await expectFailure(httpSource(url).readInto('vae/a.bin', 70_000, new Uint8Array(5)), 'corrupt', '70000', 'from 5')
  })

  it('a file that changes while it is read', async () => {
    const { url } = await serve((request, response) => {
      if (request.headers.range?.startsWith('bytes=0-')) return ranged(request, response)
      response.writeHead(206, { 'Content-Range': 'bytes 70000-70004/300001' }).end(BYTES.subarray(0, 5))
    })
    await expectFailure(httpSource(url).readInto('vae/a.bin', 70_000, new Uint8Array(5)), 'corrupt', 'changed')
  })

  it('a failure is not remembered', async () => {
    let fail = true
    const { url } = await serve((request, response) =>
      fail ? response.writeHead(503).end() : ranged(request, response),
    )
    const source = httpSource(url)
    await expectFailure(source.size('config.json'), 'io', '503')
    fail = false
    expect(await source.size('config.json')).toBe(9)
  })

  it('the caller gives up: before, and in the middle', async () => {
    const stop = new AbortController()
    const { url } = await serve((request, response) => {
      if (request.headers.range?.startsWith('bytes=0-')) return ranged(request, response)
      response.writeHead(206, { 'Content-Range': 'bytes 70000-299999/300000' })
      response.write(BYTES.subarray(0, 10), () => stop.abort())
    })
    const source = httpSource(url, { signal: stop.signal })
    await expectFailure(source.readInto('vae/a.bin', 70_000, new Uint8Array(230_000)), 'aborted')
    await expectFailure(source.size('config.json'), 'aborted')
  })

  it.each(['models/emoji', 'file:///etc', 'ftp://host/x', ''])('an address that is none: %j', (url) => {
    expect(() => httpSource(url)).toThrow(/no http:\/\/ or https:\/\/ address/)
  })
})
