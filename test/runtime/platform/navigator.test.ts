import { afterEach, describe, expect, it, vi } from 'vitest'
import { currentRuntime, openPlatform, requestAdapter } from '../../../src/runtime/platform/platform.ts'

/** An adapter of a runtime's own WebGPU: hardware with f16 and more features than any other. */
const card = {
  info: { vendor: '4318', architecture: '', device: '1', description: 'Some Card', isFallbackAdapter: false },
  features: new Set(['shader-f16', 'subgroups']),
}
const none = { requestAdapter: async () => null }
const withCard = { requestAdapter: async () => card }

describe('openPlatform in a browser', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('takes navigator.gpu, and says what to do where there is none', async () => {
    vi.stubGlobal('process', undefined)
    vi.stubGlobal('navigator', { gpu: withCard })
    expect(currentRuntime()).toBe('browser')
    expect(await openPlatform()).toMatchObject({ runtime: 'browser', backend: 'navigator.gpu', gpu: withCard })
    vi.stubGlobal('navigator', {})
    await expect(openPlatform()).rejects.toMatchObject({ kind: 'no-adapter', hint: expect.stringMatching(/Chrome/) })
    await expect(openPlatform({ backend: 'dawn' })).rejects.toMatchObject({
      kind: 'bad-argument',
      message: "backend is 'dawn', and browser has navigator alone",
    })
  })

  it('reports a browser that has WebGPU and no adapter', async () => {
    vi.stubGlobal('process', undefined)
    vi.stubGlobal('navigator', { gpu: none })
    await expect(requestAdapter(await openPlatform())).rejects.toMatchObject({
      kind: 'no-adapter',
      message: 'no WebGPU adapter through navigator.gpu',
    })
  })
})

// Deno has Node's `process` too, and npm webgpu: here Node's own stands for it.
describe('openPlatform in Deno', () => {
  const inDeno = (gpu: object | undefined) => {
    vi.stubGlobal('Deno', {})
    vi.stubGlobal('navigator', { gpu })
  }
  afterEach(() => vi.unstubAllGlobals())

  it('opens the backend that was asked for', async () => {
    inDeno(withCard)
    expect(currentRuntime()).toBe('deno')
    for (const [backend, name] of [
      ['navigator', /^navigator\.gpu$/],
      ['dawn', /^dawn\//],
    ] as const) {
      const platform = await openPlatform({ backend })
      expect(platform.runtime).toBe('deno')
      expect(platform.backend).toMatch(name)
      platform.close()
    }
  })

  it("takes the runtime's own where it is as good, and Dawn where there is no adapter else", async () => {
    inDeno(withCard)
    const own = await openPlatform()
    expect(own.gpu).toBe(withCard)
    expect(await requestAdapter(own)).toBe(card)
    for (const gpu of [none, undefined]) {
      inDeno(gpu)
      const platform = await openPlatform()
      expect(platform.backend).toMatch(/^dawn\//)
      expect((await requestAdapter(platform)).features.size).toBeGreaterThan(0)
      platform.close()
    }
  })

  it('finds an adapter by a part of its name, and lists the names where none has it', async () => {
    inDeno(withCard)
    expect(await requestAdapter(await openPlatform({ adapter: 'some c' }))).toBe(card)
    const platform = await openPlatform({ adapter: 'no such card', backend: 'navigator' })
    await expect(requestAdapter(platform)).rejects.toMatchObject({
      kind: 'no-adapter',
      message: "no WebGPU adapter through navigator.gpu: none is named 'no such card' but Some Card",
      hint: expect.stringContaining('webdit doctor'),
    })
    await expect(openPlatform({ adapter: 'no such card' })).rejects.toMatchObject({
      kind: 'no-adapter',
      message: expect.stringMatching(/through navigator\.gpu.*through dawn\//s),
    })
  })
})
