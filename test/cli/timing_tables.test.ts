import { describe, expect, it } from 'vitest'
import { CallClock, summary } from '../../src/cli/bench/timings.ts'
import { profileTable } from '../../src/cli/generate/profile_table.ts'
import type { Profile } from '../../src/runtime/profiling/profile.ts'

describe('timings', () => {
  it('of steps leave out the first, which holds the text', () => {
    const times = [1000, 3000, 3500, 4250, 4400]
    const clock = new CallClock(() => times.shift()!)
    for (let i = 0; i < 3; i++) clock.step()
    expect(clock.done()).toEqual({ call: 3.4, steps: [0.5, 0.75] })
  })

  it('are told for a picture and for a step', () => {
    const timings = [4, 1, 2, 3].map((call) => ({ call, steps: [call / 10, call / 5] }))
    expect(summary(timings, 2)).toEqual([
      '               mean    median       min       max',
      's/picture    1.2500    1.2500    0.5000    2.0000',
      's/step       0.3750    0.3500    0.1000    0.8000',
    ])
    expect(summary([{ call: 3, steps: [] }], 1)).toEqual([
      '               mean    median       min       max',
      's/picture    3.0000    3.0000    3.0000    3.0000',
    ])
  })
})

const PROFILE: Profile = {
  device: 'a device',
  tier: 'f32',
  timestamps: true,
  wallMs: 5000,
  kernelMs: 800,
  deviceMs: 1000,
  idle: 0.2,
  kernels: [
    { name: 'linear.8x8', calls: 4, ms: 600 },
    { name: 'add', calls: 100, ms: 200 },
  ],
  phases: [
    { name: 'load', calls: 1, ms: 1500, kernelMs: 0 },
    { name: 'step', calls: 2, ms: 900, kernelMs: 750 },
  ],
  events: [],
  droppedEvents: 0,
}

describe('the tables', () => {
  it('show totals, shares and means, and what is in no phase', () => {
    expect(profileTable(PROFILE).join('\n')).toBe(`\
kernel       calls  total ms    share   mean µs
linear.8x8       4    600.00   75.0 %  150000.0
add            100    200.00   25.0 %    2000.0
all kernels    104    800.00  100.0 %    7692.3
From the first kernel to the last 1.000 s passed, of 5.000 s in all; the device was idle for 20.0 % of them.
Measuring takes time: each kernel ran in a pass of its own, and each submit was waited for.

phase  times  total s  kernels s
load       1    1.500      0.000
step       2    0.900      0.750
other           2.600      0.050
all             5.000      0.800`)
  })

  it('say where kernels could not be timed, and where bars were left out', () => {
    const untimed: Profile = { ...PROFILE, timestamps: false, kernelMs: 0, deviceMs: 0, droppedEvents: 12 }
    expect(profileTable(untimed).join('\n')).toBe(`\
This device has no timestamp queries: its 104 kernel calls are counted, not timed.

phase  times  total s
load       1    1.500
step       2    0.900
other           2.600
all             5.000
The trace leaves out its last 12 bars; the tables count them.`)
  })
})
