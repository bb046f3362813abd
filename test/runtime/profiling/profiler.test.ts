import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Device } from '../../../src/runtime/device.ts'
import { add, linear } from '../../../src/runtime/ops/index.ts'
import { type GpuPlatform, openPlatform } from '../../../src/runtime/platform/platform.ts'
import { chromeTrace } from '../../../src/runtime/profiling/profile.ts'
import { Profiler } from '../../../src/runtime/profiling/profiler.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import { testDevice } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'

afterEach(async () => {
  const device = await testDevice()
  device.profiler?.stop()
  device.arena.trim()
  expect(device.arena.reserved).toBe(0)
})

/** A product and `sums` additions in two flushes. The rounding of the additions depends on their order. */
async function work(device: Device, data: { x: Float32Array; w: Float32Array }, sums: number): Promise<Float32Array> {
  const g = new Recorder(device)
  const y = await g.scope(async () => {
    const x = g.upload(data.x, [64, 48])
    let y = await g.phase('first', async () => linear(g, x, { weight: g.upload(data.w, [48, 48]) }))
    await g.flush()
    for (let i = 0; i < sums; i++) y = add(g, y, x)
    return y
  })
  const values = await g.read(y)
  g.reset()
  return values
}

const inputs = () => ({ x: random(64 * 48), w: random(48 * 48) })

describe('a profile', () => {
  it('counts every dispatch by its kernel, and times it on the device', async () => {
    const device = await testDevice()
    expect(device.features.has('timestamp-query')).toBe(true)
    const profiler = Profiler.start(device)
    await work(device, inputs(), 5)
    const profile = profiler.stop()
    expect(profile.timestamps).toBe(true)
    const calls = Object.fromEntries(profile.kernels.map(({ name, calls }) => [name.split('.')[0], calls]))
    expect(calls).toEqual({ linear: 1, combine: 5 })
    for (const { ms } of profile.kernels) expect(ms).toBeGreaterThan(0)
    expect(profile.kernelMs).toBeCloseTo(profile.kernels[0].ms + profile.kernels[1].ms, 9)
    expect(profile.kernels[0].ms).toBeGreaterThanOrEqual(profile.kernels[1].ms)
    // One after the other on a queue: no more than the time they span, and that lies within the whole.
    expect(profile.kernelMs).toBeLessThanOrEqual(profile.deviceMs)
    expect(profile.deviceMs).toBeLessThan(profile.wallMs)
    expect(profile.idle).toBeCloseTo(1 - profile.kernelMs / profile.deviceMs, 9)
  })

  it('needs more than one set of queries for a long flush, and times all of it', async () => {
    const device = await testDevice()
    const profiler = Profiler.start(device)
    const g = new Recorder(device)
    await g.scope(async () => {
      let x = g.upload(random(4), [4])
      for (let i = 0; i < 2100; i++) x = add(g, x, x)
      await g.flush()
    })
    g.reset()
    const { kernels, events } = profiler.stop()
    expect(kernels.map(({ calls }) => calls)).toEqual([2100])
    const starts = events.filter(({ track }) => track === 'device').map(({ start }) => start)
    expect(starts).toHaveLength(2100)
    // The queue ran them in the order in which they were recorded, over the border between two sets too.
    expect(starts).toEqual(starts.toSorted((a, b) => a - b))
    expect(new Set(starts).size).toBeGreaterThan(2000)
  })

  it('keeps no more events than it may, and says how many it left out', async () => {
    const device = await testDevice()
    const profiler = Profiler.start(device, { events: 3 })
    await work(device, inputs(), 5)
    const { events, droppedEvents, kernels } = profiler.stop()
    expect(events).toHaveLength(3)
    expect(kernels.reduce((sum, { calls }) => sum + calls, 0)).toBe(6)
    // Six kernels and the phase, and what was compiled.
    expect(droppedEvents).toBeGreaterThanOrEqual(4)
  })

  it('measures a device once at a time, and nothing after its stop', async () => {
    const device = await testDevice()
    const profiler = Profiler.start(device)
    expect(() => Profiler.start(device)).toThrow(/profiled already/)
    profiler.stop()
    await work(device, inputs(), 2)
    expect(profiler.stop().kernels).toEqual([])
    Profiler.start(device).stop()
  })

  it('destroys its queries after each flush', async () => {
    const device = await testDevice()
    const { gpu } = device
    const live = new Set<object>()
    const counted = gpu.createQuerySet.bind(gpu)
    gpu.createQuerySet = (descriptor) => {
      const set = counted(descriptor)
      live.add(set)
      const destroy = set.destroy.bind(set)
      set.destroy = () => {
        live.delete(set)
        destroy()
      }
      return set
    }
    try {
      const profiler = Profiler.start(device)
      await work(device, inputs(), 1)
      expect(live.size).toBe(0)
      profiler.stop()
    } finally {
      gpu.createQuerySet = counted
    }
  })
})

describe('phases', () => {
  it('take their own time, without that of phases inside them', async () => {
    const device = await testDevice()
    const profiler = Profiler.start(device)
    const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
    await device.phase('outer', async () => {
      await pause(20)
      await device.phase('inner', () => pause(60))
      await device.phase('inner', () => pause(60))
    })
    const { phases, events } = profiler.stop()
    expect(phases.map(({ name, calls }) => [name, calls])).toEqual([
      ['outer', 1],
      ['inner', 2],
    ])
    const whole = events.find(({ name }) => name === 'outer')!.ms
    expect(phases[0].ms + phases[1].ms).toBeCloseTo(whole, 6)
    // Timers may fire a millisecond early.
    expect(phases[1].ms).toBeGreaterThan(115)
  })

  it('hold the kernels that ran in them, waited for', async () => {
    const device = await testDevice()
    const profiler = Profiler.start(device)
    await work(device, inputs(), 3)
    const { phases, kernels } = profiler.stop()
    const first = phases.find(({ name }) => name === 'first')!
    expect(first.kernelMs).toBeCloseTo(kernels.find(({ name }) => name.startsWith('linear'))!.ms, 9)
    expect(first.ms).toBeGreaterThan(first.kernelMs)
  })
})

describe('a device that is not checked, with one pass a submit', () => {
  let platform: GpuPlatform
  let device: Device
  beforeAll(async () => {
    platform = await openPlatform()
    device = await Device.open(platform)
  })
  afterAll(() => {
    device.close()
    platform.close()
  })

  it('compiles in a phase, and only what is not there', async () => {
    const profiler = Profiler.start(device)
    const data = inputs()
    await work(device, data, 1)
    await work(device, data, 1)
    const { phases } = profiler.stop()
    // The product in its phase, the addition behind it; nothing the second time.
    expect(phases.find(({ name }) => name === 'compile')?.calls).toBe(2)
  })

  it('computes the same, to the bit, in a pass a dispatch', async () => {
    const data = inputs()
    const without = await work(device, data, 7)
    const profiler = Profiler.start(device)
    const measured = await work(device, data, 7)
    expect(profiler.stop().kernels.map(({ calls }) => calls)).toEqual(expect.arrayContaining([1, 7]))
    expect(measured).toEqual(without)
  })
})

it('a device without timestamp queries is told so, and its dispatches are counted', async () => {
  const device = await testDevice()
  const features = device.features as Set<string>
  features.delete('timestamp-query')
  try {
    const profiler = Profiler.start(device)
    await work(device, inputs(), 4)
    const profile = profiler.stop()
    expect(profile).toMatchObject({ timestamps: false, kernelMs: 0, deviceMs: 0, idle: 0 })
    expect(profile.kernels.map(({ calls }) => calls).sort()).toEqual([1, 4])
    expect(profile.phases.find(({ name }) => name === 'first')!.ms).toBeGreaterThan(0)
    expect(profile.events.every(({ track }) => track === 'host')).toBe(true)
  } finally {
    features.add('timestamp-query')
  }
})

it('a trace is what chrome://tracing reads: bars of host and device, the device’s inside the phase that waited', async () => {
  const device = await testDevice()
  const profiler = Profiler.start(device)
  await work(device, inputs(), 2)
  const profile = profiler.stop()
  const trace = JSON.parse(chromeTrace(profile))
  expect(trace.displayTimeUnit).toBe('ms')
  expect(trace.profile.kernels).toEqual(profile.kernels)
  expect(trace.profile.events).toBeUndefined()
  const bars = trace.traceEvents.filter(({ ph }: { ph: string }) => ph === 'X')
  expect(bars).toHaveLength(profile.events.length)
  for (const { name, ts, dur, pid, tid } of bars) {
    expect(typeof name).toBe('string')
    for (const number of [ts, dur, pid, tid]) expect(Number.isFinite(number)).toBe(true)
    expect(ts).toBeGreaterThanOrEqual(0)
    expect(dur).toBeGreaterThanOrEqual(0)
    expect(ts + dur).toBeLessThanOrEqual(profile.wallMs * 1000)
  }
  const rows = trace.traceEvents.filter(({ name }: { name: string }) => name === 'thread_name')
  expect(rows.map(({ tid }: { tid: number }) => tid)).toEqual([1, 2])
  const first = bars.find(({ name }: { name: string }) => name === 'first')
  const product = bars.find(({ name }: { name: string }) => name.startsWith('linear'))
  expect(product).toMatchObject({ tid: 2, args: { shape: '[64, 48]' } })
  expect(product.ts).toBeGreaterThan(first.ts)
  expect(product.ts + product.dur).toBeLessThan(first.ts + first.dur)
})
