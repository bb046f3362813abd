import { afterEach, describe, expect, it, vi } from 'vitest'
import { currentRuntime, openPlatform, requestAdapter } from '../../../src/runtime/platform/platform.ts'

describe('openPlatform outside Node', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('takes navigator.gpu in Deno, which has Node’s `process` too', async () => {
    const adapter = {}
    const gpu = { requestAdapter: async () => adapter }
    vi.stubGlobal('Deno', {})
    vi.stubGlobal('navigator', { gpu })
    const platform = await openPlatform()
    expect(platform).toMatchObject({ runtime: 'deno', backend: 'navigator.gpu', gpu })
    expect(await requestAdapter(platform)).toBe(adapter)
  })

  it('takes navigator.gpu in a browser, and says what to do where there is none', async () => {
    vi.stubGlobal('process', undefined)
    expect(currentRuntime()).toBe('browser')
    vi.stubGlobal('navigator', {})
    await expect(openPlatform()).rejects.toMatchObject({ kind: 'no-adapter', hint: expect.stringMatching(/Chrome/) })
  })

  it('reports a browser that has WebGPU and no adapter', async () => {
    vi.stubGlobal('Deno', {})
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => null } })
    await expect(requestAdapter(await openPlatform())).rejects.toMatchObject({
      kind: 'no-adapter',
      message: 'no WebGPU adapter through navigator.gpu',
    })
  })
})
