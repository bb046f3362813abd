import { describe, expect, it } from 'vitest'
import { Fabric } from '../../../src/parallel/fabric/fabric.ts'
import type { Transport } from '../../../src/parallel/fabric/transport.ts'
import { watched } from '../../../src/parallel/fabric/watchdog.ts'
import { testRecorder } from '../../support/device.ts'
import { failure } from '../../support/failure.ts'

const SHORT = { longest: 60, every: 5 }
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const never = () => new Promise<never>(() => {})

/** A transport of rank 1 whose peers were heard as told, and which never brings anything. */
function silent(lastHeard: (rank: number) => number): Transport & { told: unknown[] } {
  let reject: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, end) => (reject = end))
  failed.catch(() => {})
  const told: unknown[] = []
  return {
    told,
    rank: 1,
    size: 4,
    send: never,
    recv: never,
    lastHeard,
    failed,
    fail: (error) => {
      told.push(error)
      reject(error)
    },
    close: async () => {},
  }
}

describe('the watchdog', () => {
  it('names the rank that is stuck, who waits, and for what, soon after its last sign of life', async () => {
    const start = performance.now()
    const transport = silent((rank) => (rank === 3 ? start : performance.now()))
    const error = await failure(new Fabric(transport, SHORT).recv(await testRecorder(), 3, 'ring.kv', []))
    const waited = performance.now() - start
    expect(error).toMatchObject({
      kind: 'device-lost',
      message: "rank 3 is stuck: rank 1 waits for its 'ring.kv', and it has given no sign of life for 0 s",
    })
    expect(transport.told).toEqual([error])
    expect(waited).toBeGreaterThanOrEqual(SHORT.longest)
    expect(waited).toBeLessThan(SHORT.longest + 200)
  })

  it('tells the seconds', async () => {
    const transport = silent(() => performance.now() - 12_400)
    const work = watched(never(), transport, { rank: 0, from: 2, tag: 'x' }, { every: 1 })
    expect((await failure(work)).message).toContain('for 12 s')
  })

  it('watches those who do not take what is sent, too', async () => {
    const transport = silent(() => performance.now() - 1000)
    const error = await failure(new Fabric(transport, SHORT).send(await testRecorder(), 0, 'patch'))
    expect(error.message).toMatch(/^rank 0 is stuck: rank 1 waits for it to take 'patch'/)
  })

  it('lets a peer compute for as long as its heart beats', async () => {
    const transport = silent(() => performance.now() - 30)
    let bring = (_: string) => {}
    const arrival = new Promise<string>((resolve) => (bring = resolve))
    const work = watched(arrival, transport, { rank: 1, from: 0, tag: 'x' }, SHORT)
    await sleep(250)
    bring('at last')
    expect(await work).toBe('at last')
    expect(transport.told).toEqual([])
  })

  it('blames nobody for what a busy thread could not hear', async () => {
    let heard = performance.now()
    const transport = silent(() => heard)
    let bring = (_: string) => {}
    const arrival = new Promise<string>((resolve) => (bring = resolve))
    const work = watched(arrival, transport, { rank: 1, from: 0, tag: 'x' }, SHORT)
    await sleep(20)
    const until = performance.now() + 150
    while (performance.now() < until);
    // The beats of that time are heard late: after the watchdog has looked.
    const beating = setInterval(() => (heard = performance.now()), 10)
    await sleep(40)
    bring('after all')
    expect(await work).toBe('after all')
    expect(transport.told).toEqual([])
    clearInterval(beating)
  })

  it('passes errors on, and looks no more once something came', async () => {
    let looks = 0
    const transport = silent(() => {
      looks++
      return performance.now()
    })
    const waiting = { rank: 1, from: 0, tag: 'x' }
    expect((await failure(watched(Promise.reject(new Error('torn')), transport, waiting, SHORT))).message).toBe('torn')
    expect(await watched(Promise.resolve(7), transport, waiting, SHORT)).toBe(7)
    looks = 0
    await sleep(30)
    expect(looks).toBe(0)
  })
})
