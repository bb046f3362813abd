import { afterEach, describe, expect, it } from 'vitest'
import { loadComponent } from '../../src/models/component.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { Device } from '../../src/runtime/device.ts'
import { add } from '../../src/runtime/ops/index.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { random } from '../support/numbers.ts'
import { CALL, failAllocation, failure, refusesGreatest } from './inject.ts'

const open = async () => Device.open(await openPlatform())
const device = await open()
const refuses = await refusesGreatest(device)
const source = await openFolder(`${GOLDEN}pipeline_pixart_sigma`)

let restore = () => {}
afterEach(() => restore())

/** Runs `body` with one failed allocation after the other, until there are none left to fail. */
async function withEach(on: Device, body: () => Promise<unknown>, check: (n: number) => unknown): Promise<number> {
  for (let n = 1; ; n++) {
    const injected = failAllocation(on, n)
    restore = injected.restore
    const outcome = await Promise.allSettled([body()])
    injected.restore()
    if (injected.count < n) {
      expect(outcome[0]).toMatchObject({ status: 'fulfilled' })
      return n - 1
    }
    const error = await failure(
      outcome[0].status === 'rejected' ? Promise.reject(outcome[0].reason) : Promise.resolve(),
    )
    expect([n, error.kind, error.message]).toEqual([n, 'out-of-memory', expect.stringContaining('iB')])
    await check(n)
  }
}

describe.runIf(refuses)('an allocation that fails', () => {
  it.each([
    ['text_encoder', 'T5EncoderModel'],
    ['transformer', 'PixArtTransformer2DModel'],
    ['vae', 'AutoencoderKL'],
  ] as const)(
    'in the load of %s leaves nothing behind, whichever it is',
    async (dir, className) => {
      const before = [device.weightBytes, device.arena.reserved]
      let loaded: { weights: { free(): void } } | undefined
      const load = async () => {
        loaded = await loadComponent(device, className, source, dir, { parts: ['decode'] })
      }
      const failed = await withEach(device, load, () => {
        expect([device.weightBytes, device.arena.reserved]).toEqual(before)
      })
      expect(failed).toBeGreaterThan(30) // two for each weight
      loaded?.weights.free()
      expect([device.weightBytes, device.arena.reserved]).toEqual(before)
    },
    300_000,
  )

  it('in the last component of a pipeline frees those before it', async () => {
    const before = device.weightBytes
    const load = () => DiffusionPipeline.fromPretrained(source, { device })
    const injected = failAllocation(device, 0)
    restore = injected.restore
    const pipe = await load()
    pipe.dispose()
    injected.restore()
    restore = failAllocation(device, injected.count).restore
    expect(await failure(load())).toMatchObject({
      kind: 'out-of-memory',
      message: expect.stringContaining('weight decoder.'),
    })
    expect(device.weightBytes).toBe(before)
  })

  it('in a run leaves the pipeline as it was, whichever it is', async () => {
    const pipe = await DiffusionPipeline.fromPretrained(source, { device })
    const draw = async () => {
      device.arena.trim() // so that all is allocated anew
      const { images, latents } = await pipe('a cat', CALL)
      return [images[0].data, latents.data]
    }
    const picture = await draw()
    device.arena.trim()
    expect(device.arena.reserved).toBe(0)
    const failed = await withEach(device, draw, async () => {
      device.arena.trim()
      expect(device.arena.reserved).toBe(0)
      expect(await draw()).toEqual(picture)
    })
    expect(failed).toBeGreaterThan(50)
    pipe.dispose()
  }, 300_000)

  it('on a new device is of uploads, results, uniforms and what is read', async () => {
    const fresh = await open()
    const g = new Recorder(fresh)
    const [a, b] = [random(1000), random(1000)]
    const sum = [...a].map((x, i) => Math.fround(x + b[i]))
    const compute = () =>
      fresh.during(async () => {
        try {
          return await g.read(add(g, g.upload(a, [1000]), g.upload(b, [1000])))
        } finally {
          g.reset()
        }
      })
    const failed = await withEach(
      fresh,
      async () => {
        fresh.arena.trim()
        expect([...(await compute())]).toEqual(sum)
      },
      () => {
        fresh.arena.trim()
        expect(fresh.arena.reserved).toBe(0)
      },
    )
    expect(failed).toBe(5)
    expect([...(await compute())]).toEqual(sum)
    fresh.close()
  })

  it('in one run does not harm another on the same device', async () => {
    const g = [new Recorder(device), new Recorder(device)]
    const values = random(8)
    const [x, y] = g.map((r) => r.upload(values, [8]))
    await Promise.all([g[0].read(x), g[1].read(y)])
    const injected = failAllocation(device, 1)
    restore = injected.restore
    const failing = failure(g[0].read(add(g[0], x, g[0].upload(random(300_000), [300_000]))))
    injected.restore()
    expect(await failing).toMatchObject({ kind: 'out-of-memory' })
    g[0].reset()
    const twice = await device.during(() => g[1].read(add(g[1], y, y)))
    expect([...twice]).toEqual([...values].map((v) => Math.fround(v + v)))
    g[1].reset()
  })
})

it('fails a mapped buffer that the host has no memory for', async () => {
  const request = device.buffer({
    size: 2 ** 50,
    usage: GPUBufferUsage.COPY_SRC,
    mappedAtCreation: true,
    label: 'a test',
  })
  expect(await failure(request)).toMatchObject({
    kind: 'out-of-memory',
    message: 'the device has no room for 1048576.0 GiB of a test',
  })
})

it('reports an uncaught failure to what runs at the time, and to nothing that begins after it', async () => {
  const error = new (class GPUOutOfMemoryError {
    message = 'no memory for this'
  })()
  const event = Object.assign(new Event('uncapturederror'), { error })
  const fresh = await open()
  const run = fresh.during(async () => {
    fresh.gpu.dispatchEvent(event)
    await fresh.finished()
  })
  expect(await failure(run)).toMatchObject({ kind: 'out-of-memory' })
  await fresh.during(() => fresh.finished())
  fresh.close()
})
