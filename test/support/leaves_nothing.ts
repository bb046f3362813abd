import { afterAll, expect } from 'vitest'
import { openedTestDevice } from './device.ts'

// Files share a device, and some measure what is on it: weights left there by one fail another, in an order that changes.
afterAll(async () => {
  const bytes = (await openedTestDevice())?.weightBytes ?? 0
  expect(bytes, 'bytes of weights that this file left on the device').toBe(0)
})
