import { DiffusionPipeline, type Pipeline } from '../../pipelines/diffusion_pipeline.ts'
import { openModel } from '../../pipelines/open_model.ts'
import type { PipelineOutput, StepInfo } from '../../pipelines/options.ts'
import { megabytes } from '../../runtime/arena.ts'
import type { Device } from '../../runtime/device.ts'
import type { Source } from '../../runtime/weights/source.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { type Latents, latentsSize, readLatents } from './latents_file.ts'
import { prepareOutputDirectory } from './output_files.ts'
import { profilePath } from './profile.ts'
import { duration } from './progress.ts'
import { readSettings, type Settings } from './settings.ts'
import { writeLatents, writePictures } from './write_results.ts'

/** What a command line that draws asked for, opened: `generate` draws once, `bench` again and again. */
export interface Session {
  readonly settings: Settings
  readonly latents: Latents | undefined
  /** Where --profile wants its trace. */
  readonly trace: string | undefined
  readonly source: Source
  readonly device: Device
  readonly io: CliIo
}

/** Opens the model's folder and the device for `body`, and closes both. */
export async function withSession(
  args: ParsedArgs,
  io: CliIo,
  body: (session: Session) => Promise<void>,
): Promise<void> {
  const settings = readSettings(args)
  // What needs no device comes first: nobody should wait to hear of a wrong path.
  const latents = settings.latentsFile === undefined ? undefined : await readLatents(settings.latentsFile)
  await prepareOutputDirectory(settings.outputDirectory)
  const trace = await profilePath(args, settings.outputDirectory)
  const source = await openModel(settings.model)
  try {
    const opened = await io.openDevice(deviceChoice(args))
    try {
      await body({ settings, latents, trace, source, device: opened.device, io })
    } finally {
      opened.close()
    }
  } finally {
    await source.close()
  }
}

export async function load({ source, settings, device, io }: Session): Promise<Pipeline> {
  const began = performance.now()
  const pipe = await device.phase('load', () =>
    DiffusionPipeline.fromPretrained(source, {
      device,
      variant: settings.variant,
      signal: io.signal,
      onProgress: (component, loaded, total) =>
        io.status(`loading ${component}: ${megabytes(loaded)} of ${megabytes(total)}`),
    }),
  )
  const seconds = (performance.now() - began) / 1000
  io.note(`model: ${pipe.className} from ${source.name}, ${megabytes(device.weightBytes)} in ${duration(seconds)}`)
  return pipe
}

/** Draws what was asked for, once. Warnings are for the caller to tell. */
export function draw(
  { settings: { prompts, call }, latents, io }: Session,
  pipe: Pipeline,
  onStep: (step: StepInfo) => void,
): Promise<PipelineOutput> {
  const size = latents && latentsSize(latents, pipe.components.vae.config.scale, call)
  return pipe(prompts, { ...call, ...size, latents: latents?.data, signal: io.signal, onStep })
}

/** Writes the pictures, or the latents, and prints their paths. */
export async function write({ settings, io }: Session, pipe: Pipeline, output: PipelineOutput): Promise<void> {
  io.signal.throwIfAborted()
  const writeAll = settings.outputType === 'latent' ? writeLatents : writePictures
  for (const path of await writeAll(output, pipe, settings)) io.print(path)
}
