import { readJson } from '../../../models/component.ts'
import { Crew } from '../../../parallel/crew/crew.ts'
import { oneRank } from '../../../parallel/crew/ranks.ts'
import { type DenoisingNetwork, denoise } from '../../../pipelines/denoise.ts'
import { DitError } from '../../../runtime/errors.ts'
import { combine } from '../../../runtime/ops/index.ts'
import { createScheduler } from '../../../schedulers/index.ts'
import type { Scheduler } from '../../../schedulers/scheduler.ts'
import { isRecord } from '../case.ts'
import { EXACT, relative } from '../compare.ts'
import type { GoldenIo } from '../golden_io.ts'
import type { Run, Runner } from '../run.ts'
import { Unsupported } from '../unsupported.ts'
import { compareSteps } from './stacked.ts'

/**
 * A sampler's schedule, and its steps through the pipelines' loop with the cases' synthetic network:
 * output = 0.1 · input + sin(t / 100).
 */
export const schedulerRunner: Runner = {
  async run(run) {
    const scheduler = create(await readJson(run.source, 'scheduler_config.json'))
    setTimesteps(run, scheduler)
    const io = await run.io()
    await compareTimesteps(run, scheduler)
    if (io.has('output.sigmas')) {
      await run.compare('output.sigmas', { shape: [scheduler.sigmas.length], data: scheduler.sigmas })
    }

    const { shape } = await io.tensor('input.noise')
    const noise = (await io.floats('input.noise')).map((value) => value * scheduler.initNoiseSigma)
    const stepNoise = await storedNoise(io, noise.length)
    const samples: Float32Array[] = []
    const denoised: Float32Array[] = []
    const facts = { blocks: 1, grid: { rows: 1, columns: 1 }, steps: scheduler.timesteps.length, guided: false }
    await run.compute((g) =>
      denoise(g, {
        crew: new Crew(oneRank(), facts),
        network: SYNTHETIC,
        scheduler,
        latents: g.upload(noise, shape, 'latents'),
        noise: stepNoise,
        onStep: async (_step, _timestep, progress) => {
          samples.push(await progress.latents())
          denoised.push(await progress.denoised())
        },
      }),
    )
    await compareSteps(run, 'output.samples', samples)
    if (io.has('inter.pred_original_sample')) await compareSteps(run, 'inter.pred_original_sample', denoised)
  },
}

const SYNTHETIC: DenoisingNetwork = {
  patch: 1,
  guidance: 1,
  activations: () => [],
  forward: async (g, { latents, timestep }) => [
    combine(g, [
      [latents!, 0.1],
      [g.upload(new Float32Array([Math.sin(timestep / 100)]), [1]), 1],
    ]),
  ],
  unpatchify: (_g, output) => output,
}

function create(config: unknown): Scheduler {
  try {
    return createScheduler(config)
  } catch (error) {
    if (error instanceof DitError && error.kind === 'unsupported') throw new Unsupported(error.message)
    throw error
  }
}

function setTimesteps(run: Run, scheduler: Scheduler): void {
  const value = (call: string, name: string) => {
    const given = run.meta.call?.[call]
    const argument = isRecord(given) ? given[name] : undefined
    return isRecord(argument) ? argument.value : undefined
  }
  scheduler.setTimesteps(value('set_timesteps', 'num_inference_steps') as number, {
    mu: value('set_timesteps', 'mu') as number | undefined,
    sigmas: value('set_timesteps', 'sigmas') as number[] | undefined,
    timesteps: value('set_timesteps', 'timesteps') as number[] | undefined,
    eta: value('step', 'eta') as number | undefined,
  })
}

/** float32's rounding: fractions are interpolated in logarithms whose last bit depends on the CPU's vector library. */
const FRACTIONS = relative(1e-7)

async function compareTimesteps(run: Run, { timesteps }: Scheduler): Promise<void> {
  const expected = await (await run.io()).tensor('output.timesteps')
  const tolerance = Array.from(expected.data).every(Number.isInteger) ? EXACT : FRACTIONS
  run.check('timesteps', { shape: [timesteps.length], data: timesteps }, expected, tolerance)
}

/** The draws of the steps [draws, …], one after the other. */
async function storedNoise(io: GoldenIo, size: number): Promise<() => Float32Array> {
  const stored = io.has('input.step_noise') ? await io.floats('input.step_noise') : new Float32Array()
  let draws = 0
  return () => stored.subarray(draws++ * size, draws * size)
}
