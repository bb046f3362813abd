import { timelineTrace } from '../../parallel/trace/chrome_trace.ts'
import { timelineSvg } from '../../parallel/trace/svg.ts'
import { componentFormats } from '../../pipelines/component_formats.ts'
import { checkDividedRequest } from '../../pipelines/divided_request.ts'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import { checkImages } from '../../pipelines/input_images.ts'
import { modelFacts } from '../../pipelines/model_facts.ts'
import { checkNetworkFiles } from '../../pipelines/network_files.ts'
import { openModel } from '../../pipelines/open_model.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { checkOwnOptions } from '../../pipelines/own_options.ts'
import { pipelineClass } from '../../pipelines/pipeline_class.ts'
import { stepCacheOf } from '../../pipelines/step_cache.ts'
import { megabytes } from '../../runtime/arena.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { type CliIo, type ParsedArgs, UsageError } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { type Drawing, drawAlone, drawTogether, type Loading } from './drawing.ts'
import { readImageCall } from './image_file.ts'
import { type Latents, latentsSize, readLatents } from './latents_file.ts'
import { type Mesh, meshOf } from './mesh.ts'
import { prepareOutputDirectory } from './output_files.ts'
import { profilePath } from './profile.ts'
import { readSettings, type Settings } from './settings.ts'
import { writeLatents, writePictures } from './write_results.ts'

/** What a command line that draws asked for, opened: `generate` draws once, `bench` again and again. */
export interface Session {
  readonly settings: Settings
  readonly latents: Latents | undefined
  /** Where --profile wants its trace. */
  readonly trace: string | undefined
  readonly source: Source
  readonly io: CliIo
  readonly loading: Loading
  readonly mesh: Mesh
  /** Where --trace wants its timeline. */
  readonly timeline: string | undefined
}

/** Opens the model's folder for `body`, and closes it. */
export async function withSession(
  args: ParsedArgs,
  io: CliIo,
  body: (session: Session) => Promise<void>,
  given: Settings = readSettings(args),
): Promise<void> {
  // What needs no device comes first: nobody should wait to hear of a wrong path.
  const settings = { ...given, call: { ...given.call, ...(await readImageCall(args)) } }
  const latents = settings.latentsFile === undefined ? undefined : await readLatents(settings.latentsFile)
  checkImages({ ...settings.call, latents: latents?.data }, settings.prompts.length)
  await prepareOutputDirectory(settings.outputDirectory)
  const trace = await profilePath(args, settings.outputDirectory)
  const source = await openModel(settings.model, {
    signal: io.signal,
    onFetch: ({ file, bytes, size }) => io.status(`fetching ${file}: ${megabytes(bytes)} of ${megabytes(size)}`),
  })
  try {
    const loading = {
      source,
      model: settings.model,
      variant: settings.variant,
      transformer: settings.transformer,
      textEncoders: settings.textEncoders,
      offload: settings.offload,
      onDeviceLoss: settings.onDeviceLoss,
      weights: settings.weights,
      loras: settings.loras,
      imageToImage: settings.call.image !== undefined,
      choice: deviceChoice(args),
      traced: args.has('trace'),
      io,
    }
    const facts = await modelFacts(source)
    const { networks } = await pipelineClass(source)
    componentFormats(settings.weights, networks)
    checkNetworkFiles(settings, Object.keys(networks))
    checkOwnOptions(facts.className, facts.family, settings.call)
    stepCacheOf(facts.className, facts.family, settings.call) // refuses what makes no sense
    const mesh = await meshOf(args, settings, io)
    const size = latents && latentsSize(latents, facts.scale, settings.call)
    if (mesh.config) checkDividedRequest(mesh.config, facts, { ...settings.call, ...size }, mesh.devices)
    if (!mesh.config && args.has('trace')) {
      throw new UsageError(
        '--trace shows what ranks do when, and one device draws',
        'Use --profile, or let ranks draw.',
      )
    }
    if (mesh.config && trace !== undefined) {
      throw new UsageError('--profile measures one device', 'Leave it out, or draw on one device.')
    }
    await body({ settings, latents, trace, source, io, loading, mesh, timeline: args.text('trace') })
  } finally {
    await source.close()
  }
}

/** Opens what draws for `body`, and closes it. `load` is for `body` to call, so that loading can be measured. */
export async function withDevice<T>(
  { loading, mesh, io }: Session,
  body: (load: () => Promise<Drawing>, device: Parameters<typeof drawAlone>[1] | undefined) => Promise<T>,
): Promise<T> {
  if (mesh.config) return body(() => drawTogether(loading, mesh.config!, mesh.workers), undefined)
  let opened = await io.openDevice(loading.choice)
  const reopen = async () => {
    opened.close()
    opened = await io.openDevice(loading.choice)
    return opened.device
  }
  try {
    return await body(() => drawAlone(loading, opened.device, reopen), opened.device)
  } finally {
    opened.close()
  }
}

/** Writes what ranks did when, where that was asked for: a trace, and a picture of it beside it. */
export async function writeTimeline({ timeline, io }: Session, drawing: Drawing): Promise<void> {
  const spans = await drawing.spans?.()
  if (timeline === undefined || !spans) return
  const svg = `${timeline.replace(/\.json$/, '')}.svg`
  await writeWhole(timeline, new TextEncoder().encode(`${JSON.stringify(timelineTrace(spans))}\n`))
  await writeWhole(svg, new TextEncoder().encode(timelineSvg(spans)))
  for (const path of [timeline, svg]) io.print(path)
}

/** Draws what was asked for, once. Warnings are for the caller to tell. */
export function draw(
  { settings: { prompts, call }, latents }: Pick<Session, 'settings' | 'latents'>,
  drawing: Drawing,
  onStep: (step: number, steps: number) => void,
): Promise<PipelineOutput> {
  const size = latents && latentsSize(latents, drawing.facts.scale, call)
  return drawing.draw(prompts, { ...call, ...size, latents: latents?.data }, onStep)
}

/** Writes the pictures, or the latents, and prints their paths. */
export async function write(
  { settings, io }: Pick<Session, 'settings' | 'io'>,
  { facts }: Pick<Drawing, 'facts'>,
  output: PipelineOutput,
): Promise<void> {
  io.signal.throwIfAborted()
  const writeAll = settings.outputType === 'latent' ? writeLatents : writePictures
  for (const path of await writeAll(output, facts, settings)) io.print(path)
}
