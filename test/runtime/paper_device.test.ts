import { describe, expect, it } from 'vitest'
import { BufferLedger } from '../../src/runtime/buffer_ledger.ts'
import { Device } from '../../src/runtime/device.ts'
import { add, linear } from '../../src/runtime/ops/index.ts'
import { type DeviceTraits, paperPlatform, traitsOf } from '../../src/runtime/paper_device.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { testDevice } from '../support/device.ts'

const TRAITS: DeviceTraits = {
  info: { vendor: '', architecture: '', device: 'paper', description: '', isFallbackAdapter: false },
  features: ['shader-f16'],
  limits: { maxBufferSize: 1 << 20, maxStorageBufferBindingSize: 1 << 20 },
}

describe('a device on paper', () => {
  it('records, runs and reads like any other; what it reads is zeros', async () => {
    const platform = paperPlatform(TRAITS)
    const device = await Device.open(platform)
    expect(device.tier).toBe('f16')
    const g = new Recorder(device)
    const x = g.upload(new Float32Array(64 * 32).fill(1), [64, 32])
    expect(await g.read(add(g, x, x))).toEqual(new Float32Array(64 * 32))
    // Two activations, uniforms; what was read went through a buffer of its own.
    expect(platform.ledger.bytes).toBe(2 * 64 * 32 * 4 + 4096)
    expect(platform.ledger.peak).toBe(3 * 64 * 32 * 4 + 4096)
    expect(platform.ledger.greatest).toEqual({ bytes: 64 * 32 * 4, label: 'arena' })
    expect(platform.ledger.peakMapped).toBe(64 * 32 * 4)
  })

  it('has the limits and the memory that it is told', async () => {
    const device = await Device.open(paperPlatform(TRAITS), { memory: 100_000, tier: 'f32' })
    expect(device.tier).toBe('f32')
    const g = new Recorder(device)
    expect(() => g.create([(1 << 18) + 1])).toThrow(/1\.0 MiB, this device allows 1\.0 MiB/)
    g.upload(new Float32Array(16_384), [16_384])
    expect(() => g.upload(new Float32Array(16_384), [16_384])).toThrow(/--memory/)
    const plain = paperPlatform({ ...TRAITS, features: [] })
    await expect(Device.open(plain, { tier: 'f16' })).rejects.toMatchObject({ kind: 'unsupported' })
  })

  it('places a pass as the real device does whose traits it has', async () => {
    const real = await testDevice()
    const paper = await Device.open(paperPlatform(traitsOf(real)))
    expect(paper.target).toEqual(real.target)
    expect(paper.name).toBe(real.name)
    const phases = []
    for (const device of [paper, real]) {
      const g = new Recorder(device)
      await g.phase('layers', () =>
        g.scope(() => {
          let x = g.upload(new Float32Array(37 * 20), [37, 20])
          for (let i = 0; i < 3; i++) {
            const weight = g.upload(new Float32Array(20 * 20), [20, 20])
            x = add(g, linear(g, x, { weight }), x)
          }
        }),
      )
      g.reset()
      phases.push(device.arena.phases.get('layers'))
    }
    expect(phases[0]).toEqual(phases[1])
  })
})

describe('a ledger', () => {
  it('knows peaks, and strikes a buffer out once', () => {
    const ledger = new BufferLedger()
    const forget = ledger.created({ size: 100, usage: 0x80, label: 'weight' })
    const staging = ledger.created({ size: 40, usage: 0x80, mappedAtCreation: true })
    const download = ledger.created({ size: 8, usage: 0x1 })
    expect(ledger).toMatchObject({ bytes: 148, peak: 148, peakMapped: 48, greatest: { bytes: 100, label: 'weight' } })
    for (let i = 0; i < 2; i++) for (const strike of [forget, staging, download]) strike()
    expect(ledger).toMatchObject({ bytes: 0, peak: 148, peakMapped: 48 })
    ledger.wrote(10)
    ledger.wrote(20)
    ledger.settled()
    ledger.wrote(25)
    expect(ledger.peakWritten).toBe(30)
  })
})
