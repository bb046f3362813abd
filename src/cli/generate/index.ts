import { DiffusionPipeline, openModelFolder, type Pipeline } from '../../pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { megabytes } from '../../runtime/arena.ts'
import type { Source } from '../../runtime/weights/source.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { type Latents, latentsSize, readLatents } from './latents_file.ts'
import { GENERATE_DESCRIPTION, GENERATE_OPTIONS } from './options.ts'
import { prepareOutputDirectory } from './output_files.ts'
import { duration, StepProgress } from './progress.ts'
import { readSettings, type Settings } from './settings.ts'
import { writeLatents, writePictures } from './write_results.ts'

export const generateCommand: Command = {
  name: 'generate',
  summary: 'draws pictures from texts',
  usage: '--prompt TEXT … [flags]',
  description: GENERATE_DESCRIPTION,
  options: GENERATE_OPTIONS,
  needsDevice: true,
  run: generate,
}

async function generate(args: ParsedArgs, io: CliIo): Promise<number> {
  const settings = readSettings(args)
  // What needs no device comes first: nobody should wait to hear of a wrong path.
  const latents = settings.latentsFile === undefined ? undefined : await readLatents(settings.latentsFile)
  await prepareOutputDirectory(settings.outputDirectory)
  const source = await openModelFolder(settings.model)
  try {
    const opened = await io.openDevice(deviceChoice(args))
    try {
      const pipe = await load(source, settings, opened.device, io)
      const output = await draw(pipe, settings, latents, io)
      io.signal.throwIfAborted()
      const write = settings.outputType === 'latent' ? writeLatents : writePictures
      for (const path of await write(output, pipe, settings)) io.print(path)
      pipe.dispose()
      return 0
    } finally {
      opened.close()
    }
  } finally {
    await source.close()
  }
}

async function load(source: Source, { variant }: Settings, device: Pipeline['device'], io: CliIo): Promise<Pipeline> {
  const began = performance.now()
  const pipe = await DiffusionPipeline.fromPretrained(source, {
    device,
    variant,
    signal: io.signal,
    onProgress: (component, loaded, total) =>
      io.status(`loading ${component}: ${megabytes(loaded)} of ${megabytes(total)}`),
  })
  const seconds = (performance.now() - began) / 1000
  io.note(`model: ${pipe.className} from ${source.name}, ${megabytes(device.weightBytes)} in ${duration(seconds)}`)
  return pipe
}

async function draw(
  pipe: Pipeline,
  { prompts, call }: Settings,
  latents: Latents | undefined,
  io: CliIo,
): Promise<PipelineOutput> {
  const began = performance.now()
  const progress = new StepProgress(io)
  const size = latents && latentsSize(latents, pipe.components.vae.config.scale, call)
  io.status('preparing')
  const output = await pipe(prompts, {
    ...call,
    ...size,
    latents: latents?.data,
    signal: io.signal,
    onStep: ({ step, steps }) => progress.update(step, steps),
  })
  for (const warning of output.warnings) io.note(`warning: ${warning}`)
  const count = output.latents.shape[0]
  const what = `${count} ${count === 1 ? 'picture' : 'pictures'}`
  io.note(`drew ${what} in ${duration((performance.now() - began) / 1000)}`)
  return output
}
