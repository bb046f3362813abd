import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'

let opened: Promise<Device> | undefined

/** The real device, one a test file, in the tier that the oracle computed in: validation errors are thrown where they happen, outputs start as NaN. */
export const testDevice = (): Promise<Device> => {
  opened ??= openPlatform().then((platform) => Device.open(platform, { tier: 'f32', checked: true, poison: true }))
  return opened
}

/** The device, where a test has asked for it. */
export const openedTestDevice = (): Promise<Device> | undefined => opened

export const testRecorder = async (): Promise<Recorder> => new Recorder(await testDevice())

/** Runs `body` on uploaded arrays and reads the tensor it returns. */
export async function compute(
  inputs: Record<string, { data: Float32Array | Uint32Array; shape: number[] }>,
  body: (g: Recorder, t: Record<string, Tensor>) => Tensor,
): Promise<Float32Array> {
  const g = await testRecorder()
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, i]) => [name, g.upload(i.data, i.shape)]))
  const out = body(g, tensors)
  const values = await g.read(out)
  g.reset()
  return values
}
