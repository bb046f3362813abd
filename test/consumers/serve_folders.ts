import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.txt': 'text/plain',
}

/** A plain static server, `/NAME/…` from the folder of that name, as any host of static files is one. */
export async function serveFolders(folders: Readonly<Record<string, string>>) {
  const server = createServer((request, response) => {
    const [, name, ...rest] = new URL(request.url!, 'http://localhost').pathname.split('/').map(decodeURIComponent)
    const path = join(folders[name] ?? '/dev/null', ...rest)
    response.setHeader('Access-Control-Allow-Origin', '*')
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats?.isFile()) return void response.writeHead(404).end(`no file ${request.url}`)
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const start = Number(first ?? 0)
    const end = Math.min(last ? Number(last) : stats.size - 1, stats.size - 1)
    response.writeHead(first === undefined ? 200 : 206, {
      'Accept-Ranges': 'bytes',
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Content-Length': end - start + 1,
      ...(first !== undefined && { 'Content-Range': `bytes ${start}-${end}/${stats.size}` }),
    })
    if (request.method === 'HEAD') response.end()
    else createReadStream(path, { start, end }).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}
