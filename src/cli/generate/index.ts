import type { PipelineOutput } from '../../pipelines/options.ts'
import type { Profile } from '../../runtime/profiling/profile.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { NATS_OPTIONS } from '../node/nats_options.ts'
import type { Drawing } from './drawing.ts'
import { compareChoice, fullRunLine, sparedLine } from './full_run.ts'
import { generateOnCluster } from './on_cluster.ts'
import { GENERATE_DESCRIPTION, GENERATE_OPTIONS } from './options.ts'
import { measured, writeProfile } from './profile.ts'
import { duration, StepProgress } from './progress.ts'
import { draw, type Session, withDevice, withSession, write, writeTimeline } from './session.ts'

export const generateCommand: Command = {
  name: 'generate',
  summary: 'draws pictures from texts',
  usage: '--prompt TEXT … [flags]',
  description: GENERATE_DESCRIPTION,
  options: [...GENERATE_OPTIONS, ...NATS_OPTIONS],
  needsDevice: (args) => !args.has('nats'),
  run: generate,
}

async function generate(args: ParsedArgs, io: CliIo): Promise<number> {
  if (args.has('nats')) {
    await generateOnCluster(args, io)
    return 0
  }
  const compared = compareChoice(args) === 'yes'
  await withSession(args, io, (session) =>
    withDevice(session, async (load, device) => {
      const { trace } = session
      const loadAndDraw = async () => {
        const drawing = await load()
        try {
          const output = await drawOnce(session, drawing, compared)
          await writeTimeline(session, drawing)
          return { drawing, output }
        } catch (error) {
          await drawing.close()
          throw error
        }
      }
      const { result, profile }: { result: Awaited<ReturnType<typeof loadAndDraw>>; profile?: Profile } =
        trace === undefined || !device ? { result: await loadAndDraw() } : await measured(device, loadAndDraw)
      await result.drawing.close()
      await write(session, result.drawing, result.output)
      if (profile && trace !== undefined) await writeProfile(profile, trace, io)
    }),
  )
  return 0
}

async function drawOnce(session: Session, drawing: Drawing, compared: boolean): Promise<PipelineOutput> {
  const { io } = session
  const began = performance.now()
  const progress = new StepProgress(io)
  io.status('preparing')
  const output = await draw(session, drawing, (step, steps) => progress.update(step, steps))
  for (const warning of output.warnings) io.note(`warning: ${warning}`)
  const count = output.latents.shape[0]
  const what = `${count} ${count === 1 ? 'picture' : 'pictures'}`
  const seconds = (performance.now() - began) / 1000
  io.note(`drew ${what} in ${duration(seconds)}`)
  const spared = sparedLine(output)
  if (spared) io.note(spared)
  if (spared && compared) io.note(await fullRunLine(session, drawing, output, seconds))
  return output
}
