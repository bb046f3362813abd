import { expect, it } from 'vitest'
import { cardRows } from '../../src/cli/doctor/card_rows.ts'
import { VERSION } from '../../src/cli/package_info.ts'
import type { Card } from '../../src/runtime/platform/cards/card.ts'
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
  const [{ device, adapters, cards }] = report.backends
  expect(cards[0]).toMatchObject({ name: expect.any(String), select: { backend: 'dawn' } })
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
  for (const word of [
    'webdit',
    'runtime',
    'backend',
    'adapter 1',
    'maxBufferSize',
    'card 1',
    'ranks',
    'used',
    'why',
    'speed',
  ]) {
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

it('tells of each card how it is named, and what ranks can do with them', () => {
  const card = (how: Card['how'], select = {}, more = {}): Card => ({
    ...{ name: 'Alpha 8GB', software: false, alike: 1, how },
    ...{ select: { backend: 'dawn', ...select }, ...more },
  })
  const at = (pci: string) => card('device-select', {}, { pci })
  expect(cardRows([at('0000:41:00.0'), at('0000:61:00.0')])).toEqual([
    ['card 1', 'Alpha 8GB at 0000:41:00.0 (--adapter 0000:41:00.0)'],
    ['card 2', 'Alpha 8GB at 0000:61:00.0 (--adapter 0000:61:00.0)'],
    ['ranks', 'can be pinned to each of these 2 cards'],
  ])
  expect(cardRows([card('name', { adapter: 'Alpha 8GB' }, { alike: 4 }), card('name', { adapter: 'Beta' })])).toEqual([
    ['card 1', '4 x Alpha 8GB (--adapter "Alpha 8GB")'],
    ['card 2', 'Alpha 8GB (--adapter "Beta")'],
    ['ranks', 'cannot tell the 4 equal cards (Alpha 8GB) apart here, and share one of them'],
  ])
  expect(cardRows([card('only')])).toEqual([
    ['card 1', 'Alpha 8GB (the only one)'],
    ['ranks', 'share this device'],
  ])
  expect(cardRows([card('power-preference', { powerPreference: 'low-power' })])[0][1]).toContain('low-power')
  expect(cardRows([])).toEqual([])
})
