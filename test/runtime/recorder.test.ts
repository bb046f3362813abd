import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { add, combine, gather } from '../../src/runtime/ops/index.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { random, randomSize, relativeL2 } from '../support/numbers.ts'

let g: Recorder
beforeAll(async () => {
  g = new Recorder(await testDevice())
})
afterEach(() => {
  g.reset()
  g.device.arena.budget = Number.POSITIVE_INFINITY
  g.device.arena.trim()
  // Whatever a test did, all it took has come back.
  expect(g.device.arena.reserved).toBe(0)
})

describe('scope', () => {
  it('keeps what is returned, alone or in arrays and records, and releases the rest', async () => {
    const kept: Tensor[] = []
    let inner: Tensor | undefined
    const result = await g.scope(() => {
      const x = g.upload(random(8), [8])
      inner = add(g, x, x)
      const [a, b] = [add(g, inner, x), add(g, inner, inner)]
      kept.push(a, b)
      return { a, list: [b] }
    })
    expect(inner?.released).toBe(true)
    expect(kept.map((t) => t.released)).toEqual([false, false])
    const [a, b] = [await g.read(result.a), await g.read(result.list[0])]
    expect(
      relativeL2(
        b,
        a.map((v) => (v / 3) * 4),
      ),
    ).toBeLessThan(1e-6)
  })

  it('hands what an inner scope returns to the outer one', async () => {
    let y: Tensor | undefined
    await g.scope(async () => {
      y = await g.scope(() => g.upload(random(8), [8]))
      expect(y.released).toBe(false)
    })
    expect(y?.released).toBe(true)
  })

  it('refuses a tensor that is used after its release', async () => {
    const x = g.upload(random(8), [8])
    g.release(x)
    expect(() => add(g, x, x)).toThrow(/released/)
  })

  it('releases everything of a body that throws', async () => {
    let inner: Tensor | undefined
    const error = await failure(
      g.scope(() => {
        inner = add(g, g.upload(random(8), [8]), g.upload(random(8), [8]))
        throw new Error('of the body')
      }),
    )
    expect(error.message).toBe('of the body')
    expect(inner?.released).toBe(true)
  })
})

describe('placing by liveness', () => {
  it('allocates nothing new for a pass that repeats', async () => {
    const pass = async () => {
      const y = await g.scope(() => {
        let x = g.upload(random(1000), [1000])
        for (let i = 0; i < 12; i++) x = add(g, x, x)
        return x
      })
      await g.read(y)
      g.release(y)
    }
    await pass()
    const { reserved } = g.device.arena
    // a chain of twelve needs what is read and what is written
    expect(reserved).toBe(2 * 4096)
    for (let i = 0; i < 3; i++) await pass()
    expect(g.device.arena.reserved).toBe(reserved)
  })

  it('never gives two live tensors one buffer: random graphs agree with the host', async () => {
    for (let round = 0; round < 12; round++) {
      const size = randomSize(1, 300)
      // What the tensor holds, and the same with all signs alike: sums that cancel round by the latter.
      const values = new Map<Tensor, { exact: Float64Array; size: Float64Array }>()
      const outputs = await g.scope(async () => {
        const live: Tensor[] = []
        for (let i = 0; i < 3; i++) {
          const data = random(size)
          const x = g.upload(data, [size])
          values.set(x, { exact: Float64Array.from(data), size: Float64Array.from(data, Math.abs) })
          live.push(x)
        }
        for (let step = 0; step < 40; step++) {
          const terms = Array.from({ length: randomSize(1, 4) }, () => {
            return [live[randomSize(0, live.length - 1)], (Math.random() - 0.5) * 1.2] as const
          })
          const y = combine(g, terms)
          const summed = (part: 'exact' | 'size', sign: (c: number) => number) =>
            Float64Array.from({ length: size }, (_, i) =>
              terms.reduce((sum, [x, c]) => sum + sign(c) * values.get(x)![part][i], 0),
            )
          values.set(y, { exact: summed('exact', (c) => c), size: summed('size', Math.abs) })
          live.push(y)
          // some die early, some passes end in the middle
          if (live.length > 3 && Math.random() < 0.6) g.release(live.splice(randomSize(0, live.length - 1), 1)[0])
          if (Math.random() < 0.1) await g.flush()
        }
        return live
      })
      for (const y of outputs) {
        const { exact, size } = values.get(y)!
        const off = (await g.read(y)).map((v, i) => Math.abs(v - exact[i]) / size[i])
        expect(Math.max(...off)).toBeLessThan(1e-5)
      }
      g.reset()
    }
  })

  it('refuses to read what nothing wrote', async () => {
    const nothing = g.create([4])
    expect((await failure(g.read(nothing))).message).toContain('holds nothing')
    expect((await failure(g.read(add(g, nothing, nothing)))).message).toContain('nothing wrote')
  })
})

describe('running out of memory', () => {
  it('names --memory and leaves nothing behind', async () => {
    g.device.arena.budget = 5 * 4096
    const error = await failure(
      g.scope(async () => {
        const x = g.upload(random(1024), [1024])
        const sums = Array.from({ length: 8 }, () => add(g, x, x))
        const y = sums.reduce((a, b) => add(g, a, b))
        await g.read(y)
      }),
    )
    expect(error.kind).toBe('out-of-memory')
    expect(error.message).toContain('--memory')
    g.reset()
    g.device.arena.trim()
    expect(g.device.arena.reserved).toBe(0)
  })

  it('takes no buffer away from what is recorded and not submitted yet', async () => {
    const data = random(1024)
    const drawn = (between: () => Promise<void>) =>
      g.scope(async () => {
        const [x, ids] = [g.upload(data, [1, 1024]), g.upload(new Uint32Array(16), [16])]
        const sum = await g.scope(() => add(g, add(g, x, x), x))
        await between()
        return g.read(gather(g, sum, ids))
      })
    // Enough for all but the first sum, which nobody wants any more, and which is not computed yet.
    g.device.arena.budget = 74 * 1024
    expect(await failure(drawn(async () => {}))).toMatchObject({ kind: 'out-of-memory' })
    g.reset()
    g.device.arena.trim()
    const wide = await drawn(() => g.flush())
    expect(
      relativeL2(
        wide.subarray(15 * 1024),
        data.map((v) => 3 * v),
      ),
    ).toBeLessThan(1e-6)
  })

  it('fails in a rehearsal, before anything runs', async () => {
    g.device.arena.budget = 4096
    const error = await failure(g.rehearse(async () => add(g, g.create([1024]), g.create([1024]))))
    expect(error).toMatchObject({ name: 'DitError' })
  })

  it('tells which tensor is over the limit of a buffer', async () => {
    const { maxBufferSize, maxStorageBufferBindingSize } = g.device.gpu.limits
    const elements = Math.min(maxBufferSize, maxStorageBufferBindingSize) / 4 + 1
    const x = g.upload(random(1), [1])
    const error = await failure(
      g.scope(async () => {
        const y = g.create([elements], 'f32', 'the giant')
        g.record({ kernel: { name: 'fill', code: FILL }, inputs: [x], outputs: [y], uniforms: [], groups: [1, 1, 1] })
        await g.flush()
      }),
    )
    expect(error).toMatchObject({ kind: 'out-of-memory', message: expect.stringContaining('the giant') })
  })
})

it('reset gives back what an interrupted pass had recorded', async () => {
  await g.scope(() => {
    const x = g.upload(random(64), [64])
    return add(g, x, x)
  })
  g.reset() // afterEach finds the arena empty
})

const FILL = `
struct Params { unused: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = x[0] + f32(p.unused); }`
