import { describe, expect, it } from 'vitest'
import { Device } from '../../src/runtime/device.ts'
import { add } from '../../src/runtime/ops/index.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { failure } from '../support/failure.ts'
import { random } from '../support/numbers.ts'

const open = async (options = {}) => Device.open(await openPlatform(), options)

/** A command that validation refuses: more bytes than the buffer has. */
const tooLong = (device: Device) => {
  const buffer = device.gpu.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST })
  const encoder = device.gpu.createCommandEncoder()
  encoder.clearBuffer(buffer, 0, 64)
  device.gpu.queue.submit([encoder.finish()])
}

it('says which adapter gives no device, and why', async () => {
  const platform = await openPlatform()
  const adapter = (await platform.gpu.requestAdapter())!
  const first = await adapter.requestDevice()
  // An adapter gives one device.
  const gpu = { requestAdapter: async () => adapter } as unknown as GPU
  expect(await failure(Device.open({ ...platform, gpu }))).toMatchObject({
    kind: 'no-adapter',
    message: expect.stringMatching(/^.+ gives no device: .+/),
  })
  first.destroy()
  platform.close()
})

describe('validation errors', () => {
  it('are thrown where they happen in a checked device', async () => {
    const device = await open({ checked: true })
    const error = await failure(device.checked(() => tooLong(device)))
    expect(error).toMatchObject({ name: 'DitError', kind: 'validation' })
    expect(() => device.throwIfFailed()).not.toThrow()
    device.close()
  })

  it('reach the next read through uncapturederror otherwise', async () => {
    const device = await open()
    const g = new Recorder(device)
    const x = g.upload(random(4), [4])
    tooLong(device)
    const error = await failure(g.read(add(g, x, x)))
    expect(error).toMatchObject({ name: 'DitError', kind: 'validation' })
    device.close()
  })
})

describe('a lost device', () => {
  it('fails what runs and what comes after, as device-lost', async () => {
    const device = await open()
    const g = new Recorder(device)
    const x = g.upload(random(4), [4])
    await g.read(add(g, x, x))
    const running = failure(g.read(add(g, x, x)))
    device.gpu.destroy()
    expect(await running).toMatchObject({ name: 'DitError', kind: 'device-lost' })
    expect(await failure(g.read(add(g, x, x)))).toMatchObject({ kind: 'device-lost' })
  })

  it('fails kernels that it was compiling', async () => {
    const device = await open()
    const g = new Recorder(device)
    const x = g.upload(random(4), [4])
    const running = failure(g.read(add(g, x, x)))
    device.gpu.destroy()
    expect(await running).toMatchObject({ name: 'DitError', kind: 'device-lost' })
  })
})

describe('memory', () => {
  it('is shared by weights and activations', async () => {
    const device = await open({ memory: 1 << 20 })
    device.reserveWeights(1 << 19, 'half')
    expect(() => device.reserveWeights((1 << 19) + 1, 'the rest')).toThrow(/the rest.*--memory leaves 0\.5 MiB/)
    expect(device.arena.budget).toBe(1 << 19)
    device.releaseWeights(1 << 19)
    expect(device.weightBytes).toBe(0)
    expect(device.arena.budget).toBe(1 << 20)
    device.close()
  })
})
