import type { PipelineOutput } from '../../pipelines/options.ts'
import { type ParsedArgs, UsageError } from '../command.ts'
import { psnrOf, relativeL2 } from '../verify/compare.ts'
import type { Drawing } from './drawing.ts'
import { draw, type Session } from './session.ts'

/** What --compare asks for: undefined where it is left to the command. @throws UsageError for another word */
export function compareChoice(args: ParsedArgs): 'yes' | 'no' | undefined {
  const asked = args.text('compare')
  if (asked === undefined || asked === 'yes' || asked === 'no') return asked
  throw new UsageError(`--compare is ${JSON.stringify(asked)}, expected yes or no`)
}

/** How many passes a step cache spared: a line, where there was one. */
export function sparedLine({ spared }: Pick<PipelineOutput, 'spared'>): string | undefined {
  if (!spared) return undefined
  return `step cache: spared ${spared.filter(Boolean).length} of ${spared.length} passes through the network`
}

/** The same session without a step cache, and with the seed that was drawn where none was given. */
export function withoutCache(session: Session, { seed }: Pick<PipelineOutput, 'seed'>): Session {
  const { settings } = session
  const { useFbcache, fbcacheThreshold, useTeacache, relL1Thresh, teacacheCoefficients, ...rest } = settings.call
  return { ...session, settings: { ...settings, call: { ...rest, seed: seed as typeof rest.seed } } }
}

/** Draws the same without the step cache, and tells how long that takes and how far the pictures are from it. @param seconds with the cache */
export async function fullRunLine(
  session: Session,
  drawing: Drawing,
  output: PipelineOutput,
  seconds: number,
): Promise<string> {
  const { io } = session
  io.status('drawing the same without a step cache')
  const began = performance.now()
  const full = await draw(withoutCache(session, output), drawing, (step, steps) =>
    io.status(`without a step cache: step ${step} of ${steps}`),
  )
  const took = (performance.now() - began) / 1000
  const time = `without the step cache: ${took.toFixed(3)} s, ${(took / seconds).toFixed(2)} times as long`
  return `${time}; ${distance(output, full)}`
}

function distance(output: PipelineOutput, full: PipelineOutput): string {
  if (output.images.length === 0) {
    return `latents differ by ${relativeL2(output.latents.data, full.latents.data).toExponential(1)} (relative L2)`
  }
  return `PSNR ${decibelText(full.images.map(({ data }, i) => psnrOf(output.images[i].data, data, 255)))}`
}

/** The mean of some PSNR, and each where there are several. */
export function decibelText(decibels: readonly number[]): string {
  const shown = (one: number): string => (Number.isFinite(one) ? one.toFixed(1) : 'infinite')
  const mean = decibels.reduce((a, b) => a + b, 0) / decibels.length
  return `${shown(mean)} dB${decibels.length > 1 ? `, each ${decibels.map(shown).join(' ')}` : ''}`
}
