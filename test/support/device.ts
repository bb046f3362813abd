import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'

let opened: Promise<Device> | undefined

/** With WEBDIT_TEST_KERNELS=gpu all tests run with the kernels that GPUs get: slow, and rarely needed. */
const hardware = process.env.WEBDIT_TEST_KERNELS === 'gpu'

/** The real device, one a test file, in the tier that the oracle computed in: validation errors are thrown where they happen, outputs start as NaN. */
export const testDevice = (): Promise<Device> => {
  const options = { tier: 'f32', checked: true, poison: true, hardware } as const
  opened ??= openPlatform().then((platform) => Device.open(platform, options))
  return opened
}

let asHardware: Promise<Device> | undefined

/** The same device with the kernels that GPUs get. */
export const hardwareDevice = (): Promise<Device> => {
  asHardware ??= testDevice().then((device) => device.sibling({ hardware: true }))
  return asHardware
}

/** The device, where a test has asked for it. */
export const openedTestDevice = (): Promise<Device> | undefined => opened

export const testRecorder = async (): Promise<Recorder> => new Recorder(await testDevice())

/** Runs `body` on uploaded arrays and reads the tensor it returns. */
export async function compute(
  inputs: Record<string, { data: Float32Array | Uint32Array; shape: number[] }>,
  body: (g: Recorder, t: Record<string, Tensor>) => Tensor,
  device = testDevice(),
): Promise<Float32Array> {
  const g = new Recorder(await device)
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, i]) => [name, g.upload(i.data, i.shape)]))
  const out = body(g, tensors)
  const values = await g.read(out)
  g.reset()
  return values
}
