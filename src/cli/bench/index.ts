import { join } from 'node:path'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { type CliIo, type Command, type ParsedArgs, UsageError } from '../command.ts'
import type { Drawing } from '../generate/drawing.ts'
import { compareChoice, fullRunLine, sparedLine } from '../generate/full_run.ts'
import { measured, writeProfile } from '../generate/profile.ts'
import { draw, type Session, withDevice, withSession, write } from '../generate/session.ts'
import { comparedLine, compares } from './compared.ts'
import { BENCH_DESCRIPTION, BENCH_OPTIONS } from './options.ts'
import { predictedLine, predictedStep } from './predicted.ts'
import { CallClock, type CallTiming, summary } from './timings.ts'

/** As xDiT's runner names it. */
const TIMINGS_FILE = 'timings.json'

export const benchCommand: Command = {
  name: 'bench',
  summary: 'times the drawing of pictures, and profiles it',
  usage: '--prompt TEXT … [flags]',
  description: BENCH_DESCRIPTION,
  options: BENCH_OPTIONS,
  needsDevice: true,
  run: bench,
}

/** Beside "bench kernels" and "bench block". */
export const benchModelCommand: Command = { ...benchCommand, name: 'bench model', summary: 'the same' }

async function bench(args: ParsedArgs, io: CliIo): Promise<number> {
  const iterations = count(args, 'num_iterations', 1, 1)
  const warmups = count(args, 'warmup_calls', 0, 0)
  const choice = compareChoice(args)
  await withSession(args, io, async (session) => {
    const predicted = await predictedStep(session, args)
    const compared = compares(session, choice)
    let last: PipelineOutput | undefined
    await withDevice(session, async (load, device) => {
      const drawing = await load()
      try {
        for (let i = 1; i <= warmups; i++) {
          const { timing } = await timedCall(session, drawing, `warm-up call ${i} of ${warmups}`)
          io.note(`warm-up call ${i} of ${warmups}: ${timing.call.toFixed(3)} s`)
        }
        const timings: CallTiming[] = []
        for (let i = 1; i <= iterations; i++) {
          const { timing, output } = await timedCall(session, drawing, `iteration ${i} of ${iterations}`)
          io.note(`iteration ${i} of ${iterations}: ${timing.call.toFixed(3)} s`)
          timings.push(timing)
          last = output
        }
        if (last) {
          await report(session, drawing, timings, last, predicted)
          if (last.spared && choice !== 'no') {
            const seconds = timings.reduce((sum, { call }) => sum + call, 0) / timings.length
            io.print(await fullRunLine(session, drawing, last, seconds))
          }
        }
        const { trace } = session
        if (trace !== undefined && device) {
          const { profile } = await measured(device, () => timedCall(session, drawing, 'measured call'))
          await writeProfile(profile, trace, io)
        }
      } finally {
        await drawing.close()
      }
    })
    if (compared && last) io.print(await comparedLine(session, last))
  })
  return 0
}

async function timedCall(session: Session, drawing: Drawing, what: string) {
  const { io } = session
  io.status(what)
  const clock = new CallClock()
  const output = await draw(session, drawing, (step, steps) => {
    clock.step()
    io.status(`${what}: step ${step} of ${steps}`)
  })
  return { timing: clock.done(), output }
}

async function report(
  session: Session,
  drawing: Drawing,
  timings: readonly CallTiming[],
  output: PipelineOutput,
  predicted: number | undefined,
) {
  const { settings, io } = session
  for (const warning of output.warnings) io.note(`warning: ${warning}`)
  const pictures = output.latents.shape[0]
  for (const line of summary(timings, pictures)) io.print(line)
  const spared = sparedLine(output)
  if (spared) io.print(spared)
  if (predicted !== undefined) {
    for (const line of predictedLine(
      predicted,
      timings.flatMap(({ steps }) => steps),
    ))
      io.print(line)
  }
  const path = join(settings.outputDirectory, TIMINGS_FILE)
  const seconds = timings.map(({ call }) => call)
  await writeWhole(path, new TextEncoder().encode(`${JSON.stringify(seconds, null, 2)}\n`))
  io.print(path)
  await write(session, drawing, output)
}

function count(args: ParsedArgs, name: string, byDefault: number, least: number): number {
  const value = args.number(name) ?? byDefault
  if (value >= least) return value
  throw new UsageError(`--${name} is ${value}, expected ${least} or more`)
}
