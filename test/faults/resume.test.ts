import { describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOptions, StepInfo } from '../../src/pipelines/options.ts'
import type { Resumed } from '../../src/pipelines/resume/resumed.ts'
import { DitError } from '../../src/runtime/errors.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { CALL, failAllocation, failure, intercept, losableDevice } from './inject.ts'

const source = await openFolder(`${GOLDEN}pipeline_pixart_sigma`)
const FOUR = { ...CALL, numInferenceSteps: 4 }

/** A pipeline whose device is lost when `lose` is called, and the one that is opened then. */
async function losable(): Promise<{ pipe: Pipeline; lose(): void; close(): void }> {
  let current = await losableDevice()
  const reopen = async () => {
    current = await losableDevice()
    return current.device
  }
  const pipe = await DiffusionPipeline.fromPretrained(source, { device: current.device, reopen })
  return {
    pipe,
    lose: () => current.lose(),
    close: () => {
      pipe.dispose()
      current.device.close()
    },
  }
}

async function draw(pipe: Pipeline, options: PipelineOptions) {
  const { images, latents, warnings } = await pipe('a cat', options)
  return { picture: images[0].data, latents: latents.data, warnings }
}

describe('a picture whose device is lost', () => {
  it('is the same, bit for bit, whichever step that happens in, and no step is told or done again', async () => {
    const { pipe, lose, close } = await losable()
    const whole = await draw(pipe, FOUR)
    for (const fatal of [1, 2, 3, 4]) {
      const [steps, resumed]: [number[], Resumed[]] = [[], []]
      const onStep = ({ step }: { step: number }) => {
        steps.push(step)
        if (step === fatal && resumed.length === 0) lose()
      }
      expect(await draw(pipe, { ...FOUR, onStep, onResume: (news) => resumed.push(news) })).toEqual(whole)
      expect([fatal, steps]).toEqual([fatal, [1, 2, 3, 4]])
      expect(resumed).toMatchObject([{ step: fatal, cause: { kind: 'device-lost' } }])
    }
    // Where it is lost before anything was done, and where nothing is left to do but to decode.
    const news: Resumed[] = []
    lose()
    expect(await draw(pipe, { ...FOUR, onResume: (one) => news.push(one) })).toEqual(whole)
    const onStep = ({ step, steps }: StepInfo) => {
      if (step === steps && news.length === 1) intercept(pipe.device.gpu, lose, ['createBindGroup'])
    }
    expect(await draw(pipe, { ...FOUR, onStep, onResume: (one) => news.push(one) })).toEqual(whole)
    expect(news.map(({ step }) => step)).toEqual([0, 4])
    close()
  })

  it('fails where it should, or where no other device can be opened, and says why', async () => {
    const first = await losableDevice()
    const options = { device: first.device, onDeviceLoss: 'fail', reopen: async () => first.device } as const
    const pipe = await DiffusionPipeline.fromPretrained(source, options)
    expect(await failure(draw(pipe, { ...FOUR, onStep: () => first.lose() }))).toMatchObject({ kind: 'device-lost' })
    pipe.dispose()

    const second = await losableDevice()
    const reopen = () => Promise.reject(new DitError('no-adapter', 'the card is gone', 'plug it in'))
    const other = await DiffusionPipeline.fromPretrained(source, { device: second.device, reopen })
    expect(await failure(draw(other, { ...FOUR, onStep: () => second.lose() }))).toMatchObject({
      kind: 'device-lost',
      message: expect.stringMatching(/was lost: the GPU was reset; and no other could be opened: the card is gone$/),
      hint: 'plug it in',
    })
    other.dispose()
  })

  it('goes on where its scheduler draws noise in each step', async () => {
    const model = await openFolder(`${GOLDEN}pipeline_hunyuan_rescaled`)
    const first = await losableDevice()
    const reopen = async () => (await losableDevice()).device
    const pipe = await DiffusionPipeline.fromPretrained(model, { device: first.device, reopen })
    const call = { height: 64, width: 64, seed: 2, numInferenceSteps: 3, useResolutionBinning: false } as const
    const onStep = ({ step }: StepInfo) => void (step === 2 && first.lose())
    const drawn = await draw(pipe, { ...call, onStep })
    expect(await draw(pipe, call)).toEqual(drawn)
    pipe.dispose()
    pipe.device.close()
  })
})

it('a picture that the device cannot hold any more goes on there, when what is free was given back', async () => {
  const { device } = await losableDevice()
  const pipe = await DiffusionPipeline.fromPretrained(source, { device, reopen: () => Promise.reject(new Error('no')) })
  const whole = await draw(pipe, FOUR)
  let restore = () => {}
  const news: Resumed[] = []
  const onStep = ({ step }: StepInfo) => {
    if (step !== 2) return
    device.arena.trim()
    restore = failAllocation(device, 1).restore
  }
  const drawn = await draw(pipe, {
    ...FOUR,
    onStep,
    onResume: (one) => {
      news.push(one)
      restore()
    },
  })
  expect(drawn).toEqual(whole)
  expect(news).toMatchObject([{ step: 2, cause: { kind: 'out-of-memory' } }])
  pipe.dispose()
  device.close()
})
