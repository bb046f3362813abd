import { expect, it } from 'vitest'
import { VERSION } from '../../src/cli/package_info.ts'
import { testDevice } from '../support/device.ts'
import { runInProcess } from './run_in_process.ts'

it('tells what computes, how fast and how right, as JSON', async () => {
  const { code, out } = await runInProcess(['doctor', '--json'])
  const report = JSON.parse(out.join('\n'))
  const { name, tier } = await testDevice()
  expect(code).toBe(0)
  expect(report.webdit).toBe(VERSION)
  expect(report.backends).toMatchObject([
    { backend: 'dawn', implementation: expect.stringMatching(/^dawn\//), device: { name, tier } },
  ])
  const [{ device, adapters }] = report.backends
  const { gflops, error, correct } = device.speed
  expect(correct).toBe(true)
  expect(error).toBeLessThan(1e-5)
  expect(gflops).toBeGreaterThan(0.01)
  const [used] = adapters
  expect([used.description, used.device].some((text) => text && name.includes(text))).toBe(true)
  expect(used.limits.maxBufferSize).toBeGreaterThanOrEqual(2 ** 28) // WebGPU's default: 256 MiB
  expect(Object.keys(used.features)).toContain('shader-f16')
})

it('tells the same to people', async () => {
  const { out } = await runInProcess(['doctor'])
  for (const word of ['webdit', 'runtime', 'backend', 'adapter 1', 'maxBufferSize', 'used', 'why', 'speed']) {
    expect(out.some((line) => line.trim().startsWith(word))).toBe(true)
  }
  // Each thing missing has the command that mends it below.
  out.forEach((line, i) => {
    if (line.startsWith('missing: ')) expect(out[i + 1]).toMatch(/^ {2}\S/)
  })
})

it('examines the backend that was asked for, and says which ones Node has', async () => {
  const { code, out } = await runInProcess(['doctor', '--backend', 'dawn', '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(out.join('\n')).backends).toHaveLength(1)
  const { code: other, err } = await runInProcess(['doctor', '--backend', 'navigator'])
  expect(other).toBe(2)
  expect(err[0]).toBe('webdit: --backend is "navigator", and Node has dawn alone')
})
