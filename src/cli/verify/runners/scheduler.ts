import { readJson } from '../../../models/component.ts'
import { denoise } from '../../../pipelines/denoise.ts'
import { DitError } from '../../../runtime/errors.ts'
import { combine } from '../../../runtime/ops/index.ts'
import { createScheduler } from '../../../schedulers/index.ts'
import type { Scheduler } from '../../../schedulers/scheduler.ts'
import { isRecord } from '../case.ts'
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
    await run.compareExactly('output.timesteps', scheduler.timesteps)
    await run.compare('output.sigmas', { shape: [scheduler.sigmas.length], data: scheduler.sigmas })

    const io = await run.io()
    const { shape } = await io.tensor('input.noise')
    const noise = (await io.floats('input.noise')).map((value) => value * scheduler.initNoiseSigma)
    const samples: Float32Array[] = []
    await run.compute((g) =>
      denoise(g, {
        scheduler,
        latents: g.upload(noise, shape, 'latents'),
        predict: async (x, t) =>
          combine(g, [
            [x, 0.1],
            [g.upload(new Float32Array([Math.sin(t / 100)]), [1]), 1],
          ]),
        onStep: async (_step, _timestep, { latents }) => {
          samples.push(await g.read(latents))
        },
      }),
    )
    await compareSteps(run, 'output.samples', samples)
  },
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
  const given = run.meta.call?.set_timesteps
  const value = (name: string) => {
    const argument = isRecord(given) ? given[name] : undefined
    return isRecord(argument) ? argument.value : undefined
  }
  scheduler.setTimesteps(value('num_inference_steps') as number, {
    mu: value('mu') as number | undefined,
    sigmas: value('sigmas') as number[] | undefined,
    timesteps: value('timesteps') as number[] | undefined,
  })
}
