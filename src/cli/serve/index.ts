import { join } from 'node:path'
import { checkDividedRequest } from '../../pipelines/divided_request.ts'
import { modelFacts } from '../../pipelines/model_facts.ts'
import { openModel } from '../../pipelines/open_model.ts'
import { DitError } from '../../runtime/errors.ts'
import type { ServedModel } from '../../server/served_model.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { meshOf } from '../generate/mesh.ts'
import { readModel } from '../generate/settings.ts'
import { NATS_OPTIONS } from '../node/nats_options.ts'
import { PACKAGE_FOLDER, VERSION } from '../package_info.ts'
import { loadingOf } from './loading.ts'
import { meshesOf, type OpenedDrawer, openDrawers } from './open_drawers.ts'
import { SERVE_DESCRIPTION, SERVE_OPTIONS } from './options.ts'
import { modelId, readServeSettings, type ServeSettings } from './settings.ts'

export const serveCommand: Command = {
  name: 'serve',
  summary: 'answers HTTP requests for pictures, as OpenAI and xDiT do',
  usage: '[flags]',
  description: SERVE_DESCRIPTION,
  options: [...SERVE_OPTIONS, ...NATS_OPTIONS],
  needsDevice: (args) => !args.has('nats'),
  run: serve,
}

async function serve(args: ParsedArgs, io: CliIo): Promise<number> {
  const settings = await readServeSettings(args)
  if (args.has('nats')) {
    const { withClusterDrawers } = await import('./on_cluster.ts')
    await withClusterDrawers(args, io, (drawers, model) => serveModel(args, io, settings, drawers, model))
    return 0
  }
  const model = readModel(args)
  const source = await openModel(model, { signal: io.signal })
  try {
    const loading = loadingOf(args, io, source, model)
    const facts = await modelFacts(source)
    const mesh = await meshOf(args, { ...loading, prompts: [''], call: {} }, io)
    const meshes = meshesOf(mesh)
    if (mesh.config) checkDividedRequest(mesh.config, facts, {}, mesh.devices)
    const drawers = await openDrawers(loading, meshes, mesh.workers)
    await serveModel(args, io, settings, drawers, { id: modelId(model), facts, config: meshes.config })
  } finally {
    await source.close()
  }
  return 0
}

async function serveModel(
  args: ParsedArgs,
  io: CliIo,
  settings: ServeSettings,
  drawers: readonly OpenedDrawer[],
  model: Omit<ServedModel, 'since'>,
) {
  const { host, keys, loopback, limits, corsOrigins } = settings
  // The libraries of the server are read by those alone who start one.
  const { Serving } = await import('../../server/serving.ts')
  const { createApp } = await import('../../server/api/app.ts')
  const { pageFiles } = await import('../../server/page_files.ts')
  const { listen } = await import('../../server/listen.ts')
  const page = await pageFiles(join(PACKAGE_FOLDER, 'demo/dist'))
  const serving = new Serving(drawers, {
    model: { ...model, id: args.text('model_name') ?? model.id, since: Math.floor(Date.now() / 1000) },
    limits,
    access: { keys, loopback },
    corsOrigins,
    page,
    version: VERSION,
    onNote: (line) => io.note(line),
  })
  try {
    const listening = await listen(createApp(serving), host, settings.port).catch((cause: NodeJS.ErrnoException) => {
      const why = cause.code ?? cause.message
      throw new DitError('io', `cannot listen on ${host}, port ${settings.port} (${why})`, PORT_HINT, { cause })
    })
    if (!loopback && keys.length === 0)
      io.note(`warning: ${host} may be open to others, and no --api_keys are asked for`)
    io.status('')
    io.print(`http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`)
    await ended(io.signal)
    await listening.close()
  } finally {
    await serving.feed.close()
  }
}

const PORT_HINT =
  'Choose another with --port, or --port 0 for any that is free, and an address of this machine with --host.'

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}
