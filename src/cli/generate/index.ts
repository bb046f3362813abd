import type { Pipeline } from '../../pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { GENERATE_DESCRIPTION, GENERATE_OPTIONS } from './options.ts'
import { measured, writeProfile } from './profile.ts'
import { duration, StepProgress } from './progress.ts'
import { draw, load, type Session, withSession, write } from './session.ts'

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
  await withSession(args, io, async (session) => {
    const { trace, device } = session
    const loadAndDraw = async () => {
      const pipe = await load(session)
      return { pipe, output: await drawOnce(session, pipe) }
    }
    if (trace === undefined) {
      const { pipe, output } = await loadAndDraw()
      await write(session, pipe, output)
      pipe.dispose()
    } else {
      const { result, profile } = await measured(device, loadAndDraw)
      await write(session, result.pipe, result.output)
      await writeProfile(profile, trace, io)
      result.pipe.dispose()
    }
  })
  return 0
}

async function drawOnce(session: Session, pipe: Pipeline): Promise<PipelineOutput> {
  const { io } = session
  const began = performance.now()
  const progress = new StepProgress(io)
  io.status('preparing')
  const output = await draw(session, pipe, ({ step, steps }) => progress.update(step, steps))
  for (const warning of output.warnings) io.note(`warning: ${warning}`)
  const count = output.latents.shape[0]
  const what = `${count} ${count === 1 ? 'picture' : 'pictures'}`
  io.note(`drew ${what} in ${duration((performance.now() - began) / 1000)}`)
  return output
}
