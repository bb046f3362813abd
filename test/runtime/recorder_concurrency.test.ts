import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Device } from '../../src/runtime/device.ts'
import { add, combine } from '../../src/runtime/ops/index.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { random, randomSize, relativeL2 } from '../support/numbers.ts'
import { onRanks } from '../support/ranks.ts'

let device: Device
let g: Recorder
beforeEach(async () => {
  device = (await testDevice()).sibling()
  g = new Recorder(device)
})
afterEach(() => {
  vi.restoreAllMocks()
  g.reset()
  expect(inUse(device)).toBe(0)
  device.arena.trim()
  expect(device.arena.reserved).toBe(0)
  device.close()
})

/** Bytes of the arena's buffers that somebody holds. */
function inUse({ arena }: Device): number {
  arena.phases.delete('now')
  arena.enter('now')
  return arena.phases.get('now')!.used
}

const times = (data: Float32Array, factor: number): Float32Array => data.map((v) => v * factor)

/** The moments at which a flush waits for the device. */
const STAGES = {
  'before its kernels are compiled': () => gate(device.pipelines, 'prepare'),
  'before its tensors have buffers': () => gate(device, 'allocating'),
  'before it is submitted': () => gate(device, 'uniformBuffer'),
} as const

interface Gate {
  /** Settles when the flush has come here. */
  readonly reached: Promise<void>
  open(): void
}

/** Holds up the next call of a method until the gate is opened. */
function gate<T extends object>(owner: T, method: keyof T & string): Gate {
  let open = () => {}
  let arrive = () => {}
  const reached = new Promise<void>((resolve) => (arrive = resolve))
  const opened = new Promise<void>((resolve) => (open = resolve))
  const original = (owner[method] as (...args: unknown[]) => Promise<unknown>).bind(owner)
  vi.spyOn(owner as Record<string, (...args: unknown[]) => unknown>, method).mockImplementationOnce(async (...args) => {
    arrive()
    await opened
    return original(...args)
  })
  return { reached, open }
}

describe.each(Object.keys(STAGES) as (keyof typeof STAGES)[])('while a flush waits %s', (stage) => {
  it('what is released is neither overwritten nor lost', async () => {
    const [data, other] = [random(1000), random(1000)]
    const x = g.upload(data, [1000])
    const y = add(g, x, x)
    const held = STAGES[stage]()
    const flushed = g.flush()
    await held.reached
    g.release(x)
    // Of the same size: x's buffer would fit, were it free.
    const z = g.upload(other, [1000])
    held.open()
    await flushed
    expect(relativeL2(await g.read(y), times(data, 2))).toBe(0)
    expect(await g.read(z)).toEqual(other)
    // Now it is free.
    const { reserved } = device.arena
    g.upload(other, [1000])
    expect(device.arena.reserved).toBe(reserved)
  })

  it('what is recorded after it can use, and release, what it uses', async () => {
    const data = random(1000)
    const x = g.upload(data, [1000])
    const y = add(g, x, x)
    const held = STAGES[stage]()
    const flushed = g.flush()
    await held.reached
    const z = add(g, y, x)
    g.release(x)
    g.release(y)
    held.open()
    const garbage = g.upload(random(1000), [1000])
    await flushed
    expect(relativeL2(await g.read(z), times(data, 3))).toBeLessThan(1e-6)
    for (const tensor of [z, garbage]) g.release(tensor)
    expect(inUse(device)).toBe(0)
  })

  it('what is kept can be dropped', async () => {
    const kept = g.keep([1000])
    const data = random(1000)
    const y = add(g, g.upload(data, [1000]), g.upload(data, [1000]))
    const z = combine(g, [[y, 1]])
    const held = STAGES[stage]()
    const flushed = g.flush()
    await held.reached
    const late = add(g, y, kept)
    g.drop(kept)
    g.release(late)
    held.open()
    await flushed
    await g.flush()
    expect(kept.placement).toBeUndefined()
    expect(relativeL2(await g.read(z), times(data, 2))).toBe(0)
  })

  it('a reset leaves nothing behind', async () => {
    await g.scope(async () => {
      const x = g.upload(random(1000), [1000])
      const held = STAGES[stage]()
      add(g, x, x)
      const flushed = g.flush()
      await held.reached
      add(g, x, x)
      g.reset()
      held.open()
      await flushed
    })
    expect(inUse(device)).toBe(0)
  })

  it('another recorder on the device draws undisturbed', async () => {
    const data = random(1000)
    const y = await g.scope(() => {
      const x = g.upload(data, [1000])
      return add(g, add(g, add(g, x, x), x), x)
    })
    const held = STAGES[stage]()
    const flushed = g.flush()
    await held.reached
    const other = new Recorder(device)
    const [a, b] = [random(1000), random(1000)]
    const sum = await other.scope(() => add(other, other.upload(a, [1000]), other.upload(b, [1000])))
    await other.flush()
    held.open()
    await flushed
    const expected = a.map((v, i) => v + b[i])
    expect(relativeL2(await other.read(sum), expected)).toBeLessThan(1e-6)
    expect(relativeL2(await g.read(y), times(data, 4))).toBeLessThan(1e-6)
    other.reset()
  })
})

describe('the order of flushes', () => {
  it('holds for those that have nothing to submit, at any moment', async () => {
    const order: string[] = []
    const empty: Promise<unknown>[] = []
    const submitted = device.arena.submitted.bind(device.arena)
    vi.spyOn(device.arena, 'submitted').mockImplementationOnce((by) => {
      submitted(by)
      let moment = Promise.resolve()
      for (let k = 0; k < 8; k++) {
        moment = moment.then(() => void empty.push(g.flush().then(() => order.push('empty'))))
      }
    })
    const x = g.upload(random(8), [8])
    add(g, x, x)
    await g.flush().then(() => order.push('first'))
    while (empty.length < 8) await Promise.resolve()
    await Promise.all(empty)
    expect(order[0]).toBe('first')
  })

  it('is that in which they were asked for', async () => {
    const data = random(64)
    let x = g.upload(data, [64])
    const order: number[] = []
    const flushed = []
    for (let k = 0; k < 10; k++) {
      const next = add(g, x, x)
      g.release(x)
      x = next
      flushed.push(g.flush().then(() => order.push(k)))
    }
    await Promise.all(flushed)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await g.read(x)).toEqual(times(data, 1024))
  })
})

it('a flush that fails takes nothing from the one after it, and leaves nothing behind', async () => {
  const data = random(100)
  const x = g.upload(data, [100])
  const broken = g.create([100])
  g.record({
    kernel: { name: 'broken', code: 'this is no WGSL' },
    inputs: [x],
    outputs: [broken],
    uniforms: [],
    groups: [1, 1, 1],
  })
  g.release(broken)
  const failing = failure(g.flush())
  const y = add(g, x, x)
  g.release(x)
  expect(await g.read(y)).toEqual(times(data, 2))
  expect((await failing).message).toContain('broken')
  g.release(y)
  expect(inUse(device)).toBe(0)
})

/** A pass of random sums with flushes that nobody waits for; `values` of what it returned. */
async function randomPass(recorder: Recorder): Promise<void> {
  const size = randomSize(1, 300)
  const values = new Map<Tensor, { exact: Float64Array; size: Float64Array }>()
  const background: Promise<unknown>[] = []
  const outputs = await recorder.scope(async () => {
    const live: Tensor[] = []
    const upload = () => {
      const data = random(size)
      const x = recorder.upload(data, [size])
      values.set(x, { exact: Float64Array.from(data), size: Float64Array.from(data, Math.abs) })
      live.push(x)
    }
    upload()
    for (let step = 0; step < 40; step++) {
      if (Math.random() < 0.3) upload()
      const terms = Array.from({ length: randomSize(1, 4) }, () => {
        return [live[randomSize(0, live.length - 1)], (Math.random() - 0.5) * 1.2] as const
      })
      const y = combine(recorder, terms)
      const summed = (part: 'exact' | 'size', sign: (c: number) => number) =>
        Float64Array.from({ length: size }, (_, i) =>
          terms.reduce((sum, [x, c]) => sum + sign(c) * values.get(x)![part][i], 0),
        )
      values.set(y, { exact: summed('exact', (c) => c), size: summed('size', Math.abs) })
      live.push(y)
      if (Math.random() < 0.3) background.push(recorder.flush())
      if (Math.random() < 0.3) await new Promise((resolve) => setTimeout(resolve))
      while (live.length > 4) recorder.release(live.splice(randomSize(0, live.length - 1), 1)[0])
    }
    return live
  })
  await Promise.all(background)
  for (const y of outputs) {
    const { exact, size } = values.get(y)!
    const off = (await recorder.read(y)).map((v, i) => Math.abs(v - exact[i]) / size[i])
    expect(Math.max(...off)).toBeLessThan(1e-5)
    recorder.release(y)
  }
}

it('random passes agree with the host while flushes run in the background', async () => {
  for (let round = 0; round < 4; round++) {
    await randomPass(g)
    expect(inUse(device)).toBe(0)
  }
})

it('so do those of recorders that share a device, and of siblings', async () => {
  await Promise.all([g, new Recorder(device), new Recorder(device)].map(randomPass))
  const siblings = Array.from({ length: 3 }, () => device.sibling())
  await Promise.all(siblings.map((sibling) => randomPass(new Recorder(sibling))))
  for (const sibling of siblings) {
    expect(inUse(sibling)).toBe(0)
    sibling.close()
    expect(sibling.arena.reserved).toBe(0)
  }
})

it('sends in the background cost no more memory in the twentieth round than in the third', async () => {
  const shape = [3, 7, 11]
  await onRanks(3, async ({ g, device, fabric, index }) => {
    const [next, before] = [(index + 1) % 3, (index + 2) % 3]
    const reserved: number[] = []
    for (let round = 0; round < 20; round++) {
      await g.scope(async () => {
        const data = new Float32Array(231).fill(100 * round + index)
        const x = g.upload(data, shape)
        const doubled = add(g, x, x)
        const sending = fabric.send(g, next, 'doubled', doubled)
        const arriving = fabric.recv(g, before, 'doubled', [{ shape, dtype: 'f32' }])
        // Meanwhile this rank uploads, computes and releases.
        g.release(x)
        const y = g.upload(data, shape)
        const tripled = await g.scope(() => add(g, add(g, y, y), doubled))
        g.release(y)
        const [came] = await arriving
        const sum = add(g, came, tripled)
        await sending
        g.release(doubled)
        const expected = 2 * (100 * round + before) + 4 * (100 * round + index)
        expect(await g.read(sum)).toEqual(new Float32Array(231).fill(expected))
      })
      expect(inUse(device)).toBe(0)
      reserved.push(device.arena.reserved)
    }
    expect(reserved.slice(3)).toEqual(Array(17).fill(reserved[2]))
  })
})
