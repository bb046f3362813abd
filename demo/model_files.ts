import { cpSync, createReadStream, readdirSync, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connect, Plugin } from 'vite'

/** Where the page finds the embedded model. */
const PATH = 'models/emoji-pixart'
const FOLDER = fileURLToPath(new URL('../models/emoji-pixart/', import.meta.url))

/** Serves the embedded model beside the page, and copies it into a build if `copy` says so. */
export function modelFiles({ copy }: { copy: boolean }): Plugin {
  const files = new Set(checkpointFiles())
  const serve: Connect.NextHandleFunction = (request, response) => serveFile(files, request, response)
  let outDir = ''
  return {
    name: 'webdit-model-files',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir)
    },
    configureServer({ middlewares }) {
      middlewares.use(`/${PATH}`, serve)
    },
    configurePreviewServer({ middlewares }) {
      middlewares.use(`/${PATH}`, serve)
    },
    writeBundle() {
      if (copy) for (const file of files) cpSync(join(FOLDER, file), join(outDir, PATH, file))
    },
  }
}

/** The descriptions in the folder, and the components' files; not the pictures, the oracle data and the training code. */
function checkpointFiles(): string[] {
  const entries = readdirSync(FOLDER, { withFileTypes: true })
  const own = entries.filter((entry) => entry.isFile() && /\.json$/.test(entry.name) && entry.name !== 'package.json')
  const components = entries.filter((entry) => entry.isDirectory() && !/^(golden|training)$/.test(entry.name))
  return [
    ...own.map(({ name }) => name),
    ...components.flatMap(({ name }) => readdirSync(join(FOLDER, name)).map((file) => `${name}/${file}`)),
  ]
}

/** A file or one range of it: what the page asks for, and what any static server gives. */
function serveFile(files: ReadonlySet<string>, request: IncomingMessage, response: ServerResponse): void {
  const name = decodeURIComponent((request.url ?? '').split('?')[0]).slice(1)
  if (!files.has(name)) {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end(`no file ${name}`)
    return
  }
  const path = join(FOLDER, name)
  const { size } = statSync(path)
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const start = first === undefined ? 0 : Number(first)
  const end = first === undefined ? size - 1 : Math.min(Number(last), size - 1)
  if (start > end) {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end()
    return
  }
  response.writeHead(first === undefined ? 200 : 206, {
    'Accept-Ranges': 'bytes',
    'Content-Type': name.endsWith('.json') ? 'application/json' : 'application/octet-stream',
    'Content-Length': end - start + 1,
    ...(first !== undefined && { 'Content-Range': `bytes ${start}-${end}/${size}` }),
  })
  if (request.method === 'HEAD') response.end()
  else createReadStream(path, { start, end }).pipe(response)
}
