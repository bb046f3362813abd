import { afterAll, describe, expect, it } from 'vitest'
import { currentRuntime, openPlatform, requestAdapter } from '../../../src/runtime/platform/platform.ts'

describe('openPlatform in Node', async () => {
  const platform = await openPlatform()
  afterAll(() => platform.close())

  it('opens a device that computes, on a GPU or by the fallback', async () => {
    expect(platform.runtime).toBe(currentRuntime())
    const adapter = await requestAdapter(platform)
    if (process.env.WEBDIT_SOFTWARE_VULKAN) expect(adapter.info.architecture).toBe('swiftshader')
    const device = await adapter.requestDevice()
    // createBuffer and GPUBufferUsage: Dawn's globals are where browsers have them
    const buffer = device.createBuffer({ size: 8, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ })
    device.queue.writeBuffer(buffer, 0, new Uint32Array([7, 11]))
    await buffer.mapAsync(GPUMapMode.READ)
    expect([...new Uint32Array(buffer.getMappedRange())]).toEqual([7, 11])
    device.destroy()
  })

  it('names the adapters that there are when none has the wanted name', async () => {
    const other = await openPlatform({ adapter: 'no such card' })
    await expect(requestAdapter(other)).rejects.toMatchObject({
      name: 'DitError',
      kind: 'no-adapter',
      message: expect.stringMatching(/'no such card'/),
      hint: expect.stringContaining('webdit doctor'),
    })
    other.close()
  })
})
