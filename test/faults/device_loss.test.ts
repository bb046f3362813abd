import { expect, it } from 'vitest'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { StepInfo } from '../../src/pipelines/options.ts'
import { Device } from '../../src/runtime/device.ts'
import { add } from '../../src/runtime/ops/index.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { openCheckpoint } from '../../src/runtime/weights/checkpoint.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { loadWeights } from '../../src/runtime/weights/load.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { Parameters } from '../../src/runtime/weights/parameters.ts'
import { writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { CALL, failure, intercept, losableDevice } from './inject.ts'

const open = async () => Device.open(await openPlatform())
const source = await openFolder(`${GOLDEN}pipeline_pixart_sigma`)

const LOST = { name: 'DitError', kind: 'device-lost', hint: expect.stringContaining('run again') }

it('fails a load, a run and what is read, whichever call of the device it comes before', async () => {
  const bytes = writeSafetensors({ w: { dtype: 'F32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } })
  const checkpoint = await openCheckpoint(memorySource(new Map([['m.safetensors', bytes]])), '', 'm')
  const program = async (device: Device) => {
    const weights = await loadWeights(device, checkpoint, new Parameters().tensor('w', 4))
    const g = new Recorder(device)
    const sum = add(g, weights.tensor('w'), g.upload(Float32Array.of(4, 3, 2, 1), [4]))
    await g.flush()
    await device.finished()
    return [...(await g.read(sum))]
  }
  let fatal = 0
  for (;;) {
    const device = await open()
    let calls = 0
    intercept(device.gpu, () => {
      if (calls++ === fatal) device.gpu.destroy()
    })
    const run = program(device)
    if (calls <= fatal) await Promise.allSettled([run])
    if (calls <= fatal) {
      expect(await run).toEqual([5, 5, 5, 5])
      device.close()
      break
    }
    expect([fatal, await failure(run)]).toMatchObject([fatal, LOST])
    fatal++
  }
  expect(fatal).toBeGreaterThan(20)
})

it('fails what the runtime never settles, and tells the reason', async () => {
  const { device, lose } = await losableDevice()
  const never = failure(device.settled(new Promise(() => {})))
  const unheard = failure(device.during(() => device.settled(new Promise(() => {}))))
  lose()
  for (const work of [never, unheard]) {
    expect(await work).toMatchObject({
      ...LOST,
      message: expect.stringMatching(/^the device .* was lost: the GPU was reset$/),
    })
  }
  expect(await failure(device.during(async () => 'no use of the device'))).toMatchObject(LOST)
})

it('fails what a closed device is asked for, and says that it was closed', async () => {
  const device = await open()
  const g = new Recorder(device)
  const running = failure(g.read(g.upload(Float32Array.of(1), [1])))
  device.close()
  const closed = { kind: 'device-lost', message: 'the device was closed' }
  expect(await running).toMatchObject(closed)
  expect(await failure(device.finished())).toMatchObject(closed)
})

it('leaves errors alone that are not the device’s', async () => {
  const device = await open()
  const own = new TypeError('a fault of the caller')
  await expect(device.during(() => Promise.reject(own))).rejects.toBe(own)
  device.close()
})

it('fails a load that is under way', async () => {
  const { device, lose } = await losableDevice()
  let loaded = 0
  const load = DiffusionPipeline.fromPretrained(source, {
    device,
    onProgress: () => {
      if (++loaded === 20) lose()
    },
  })
  expect(await failure(load)).toMatchObject({ ...LOST, message: expect.stringContaining('the GPU was reset') })
  expect(device.weightBytes).toBe(0)
})

it('fails a run between the load and the run, in a step, and in the decoder', async () => {
  const points: Record<string, (device: Device, lose: () => void) => ((info: StepInfo) => void) | undefined> = {
    before: (_, lose) => void lose(),
    step: (_, lose) => () => lose(),
    decode:
      (device, lose) =>
      ({ step, steps }) => {
        // The steps are done: what is submitted next decodes.
        if (step === steps) intercept(device.gpu, lose)
      },
  }
  const runs = Object.entries(points).map(async ([point, arrange]) => {
    const { device, lose } = await losableDevice()
    const pipe = await DiffusionPipeline.fromPretrained(source, { device })
    const onStep = arrange(device, lose)
    expect([point, await failure(pipe('a cat', { ...CALL, onStep }))]).toMatchObject([point, LOST])
    // It stays lost, and says so at once.
    expect(await failure(pipe('a cat', CALL))).toMatchObject(LOST)
    pipe.dispose()
    expect(device.weightBytes).toBe(0)
  })
  await Promise.all(runs)
}, 300_000)
