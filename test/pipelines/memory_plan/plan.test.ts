import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { type MemoryPlan, planMemory } from '../../../src/pipelines/memory_plan/plan.ts'
import type { PipelineOptions } from '../../../src/pipelines/options.ts'
import { BufferLedger } from '../../../src/runtime/buffer_ledger.ts'
import { Device } from '../../../src/runtime/device.ts'
import { traitsOf } from '../../../src/runtime/paper_device.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const EMOJI = path('../../../models/emoji-pixart')
const fixture = (name: string) => path(`../../fixtures/golden/${name}`)
const FIXTURE = fixture('pipeline_pixart_sigma')

/** Slow where a CPU computes and compiles. */
const DRAWS = 300_000

let opened: Device | undefined
afterEach(() => {
  opened?.close()
  opened = undefined
})

/** A real device, with account kept of its buffers. */
async function realDevice(memory?: number): Promise<{ device: Device; ledger: BufferLedger }> {
  const device = await Device.open(await openPlatform(), { memory })
  opened = device
  const ledger = new BufferLedger()
  const createBuffer = device.gpu.createBuffer.bind(device.gpu)
  device.gpu.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor)
    const [forget, destroy] = [ledger.created(descriptor), buffer.destroy.bind(buffer)]
    buffer.destroy = () => {
      forget()
      return destroy()
    }
    return buffer
  }
  return { device, ledger }
}

const plan = (model: string, prompt: string | string[], device: Device, call: PipelineOptions, memory?: number) =>
  planMemory(model, prompt, { device: traitsOf(device), memory, call })

describe('a plan', () => {
  it.each<[string, string, string | string[], PipelineOptions]>([
    ['guidance, over all orders of the solver', EMOJI, 'red apple', { numInferenceSteps: 4, height: 48, width: 32 }],
    [
      'tiles, no guidance',
      EMOJI,
      'snowman',
      { numInferenceSteps: 1, height: 32, width: 144, guidanceScale: 1, enableTiling: true },
    ],
    [
      'several prompts and pictures',
      FIXTURE,
      ['a photo of a small cat sleeping on a red sofa', 'rocket'],
      { numInferenceSteps: 5, height: 80, width: 112, useResolutionBinning: false, numImagesPerPrompt: 2 },
    ],
    [
      'latents alone, many steps',
      FIXTURE,
      'cat',
      {
        numInferenceSteps: 25,
        height: 32,
        width: 48,
        useResolutionBinning: false,
        maxSequenceLength: 9,
        outputType: 'latent',
      },
    ],
    [
      'FLUX.1, both branches of a true CFG scale',
      fixture('pipeline_flux_dev'),
      'cat',
      { numInferenceSteps: 2, height: 64, width: 48, trueCfgScale: 2, negativePrompt: 'dog', maxSequenceLength: 13 },
    ],
    [
      'SD3, latents alone',
      fixture('pipeline_sd3'),
      'cat',
      { numInferenceSteps: 2, height: 48, width: 64, maxSequenceLength: 13, outputType: 'latent' },
    ],
  ])(
    'tells to the byte what a run takes: %s',
    async (_, model, prompt, call) => {
      const { device, ledger } = await realDevice()
      const planned = await plan(model, prompt, device, call)

      const weights: Record<string, number> = {}
      let before = 0
      const pipe = await DiffusionPipeline.fromPretrained(model, {
        device,
        onProgress: (component, loaded, total) => {
          if (loaded !== total) return
          weights[component] = device.weightBytes - before
          before = device.weightBytes
        },
      })
      const { images, latents } = await pipe(prompt, { ...call, seed: 1 })

      expect(planned).toMatchObject({ fits: true, weights, tier: device.tier, pictures: latents.shape[0] })
      expect(planned.phases).toEqual(Object.fromEntries(device.arena.phases))
      expect(planned.weightsAndActivations).toBe(device.weightBytes + device.arena.peak)
      expect(planned.device).toBe(ledger.peak)
      expect(planned.greatestBuffer).toEqual(ledger.greatest)
      expect(planned.host.pictures).toBeGreaterThan(images.reduce((sum, { data }) => sum + data.byteLength, 0))
      expect(Object.keys(planned.phases)).toEqual(
        call.outputType === 'latent' ? ['text', 'step'] : ['text', 'step', 'decode'],
      )
    },
    DRAWS,
  )

  it(
    'knows which memory suffices: the run is refused and drawn accordingly',
    async () => {
      const { device } = await realDevice()
      const call = { numInferenceSteps: 1, height: 96, width: 64, useResolutionBinning: false }
      const enough = (await plan(FIXTURE, 'cat', device, call)).weightsAndActivations
      let [fitting, refused] = [enough, 0]
      // Below `enough` the arena gives back what it kept for reuse, so the least is found by asking.
      while (fitting - refused > 1024) {
        const middle = Math.floor((fitting + refused) / 2)
        if ((await plan(FIXTURE, 'cat', device, call, middle)).fits) fitting = middle
        else refused = middle
      }
      expect(refused).toBeGreaterThan(0)
      device.close()
      for (const [memory, fits] of [
        [fitting, true],
        [refused, false],
      ] as const) {
        const small = (await realDevice(memory)).device
        const drawing = DiffusionPipeline.fromPretrained(FIXTURE, { device: small }).then((pipe) => pipe('cat', call))
        if (fits) expect((await drawing).images).toHaveLength(1)
        else await expect(drawing).rejects.toMatchObject({ kind: 'out-of-memory' })
        small.close()
      }
    },
    DRAWS,
  )

  it('names what would fit: a smaller size, tiles, or nothing', async () => {
    const call = { height: 512, width: 256 }
    const whole = await planMemory(EMOJI, 'red apple', { call })
    const tight = async (memory: number): Promise<MemoryPlan> => planMemory(EMOJI, 'red apple', { call, memory })
    const some = await tight(whole.weightsAndActivations / 2)
    expect(some).toMatchObject({ fits: false, fitsTiled: true, problem: expect.stringContaining('--memory') })
    const { height, width } = some.largest!
    expect(
      await planMemory(EMOJI, 'red apple', { memory: whole.weightsAndActivations / 2, call: some.largest }),
    ).toMatchObject({ fits: true })
    const larger = { height: height + 32, width: width + 16 }
    expect(
      await planMemory(EMOJI, 'red apple', { memory: whole.weightsAndActivations / 2, call: larger }),
    ).toMatchObject({ fits: false })

    const none = await tight(1000)
    expect(none).toMatchObject({ fits: false, fitsTiled: false, largest: undefined })
    // What it would take is told all the same.
    expect(none.phases).toEqual(whole.phases)
    expect(none.weights).toEqual(whole.weights)
  })

  it('refuses what no buffer of the device holds, and tells how large that would be', async () => {
    const limits = { maxBufferSize: 2 ** 22, maxStorageBufferBindingSize: 2 ** 22 }
    const info = { vendor: '', architecture: '', device: 'small', description: '', isFallbackAdapter: false }
    const { fits, problem, bufferLimit, greatestBuffer, largest } = await planMemory(EMOJI, 'cat', {
      device: { info, limits, features: [] },
      call: { height: 256, width: 256 },
    })
    expect({ fits, bufferLimit }).toEqual({ fits: false, bufferLimit: 2 ** 22 })
    expect(problem).toMatch(/needs a buffer of .* MiB, this device allows 4.0 MiB/)
    expect(greatestBuffer.bytes).toBeGreaterThan(2 ** 22)
    expect(largest).toBeDefined()
  })

  it('does not refuse in f16 what only f32 could not hold', async () => {
    const limits = { maxBufferSize: 2 ** 23, maxStorageBufferBindingSize: 2 ** 23 }
    const info = { vendor: '', architecture: '', device: 'small', description: '', isFallbackAdapter: false }
    const fits = async (tier: 'f32' | 'f16') => {
      const device = { info, limits, features: ['shader-f16'] }
      const call = { height: 512, width: 512, numInferenceSteps: 1, outputType: 'latent' } as const
      return (await planMemory(EMOJI, 'cat', { device, tier, call })).fits
    }
    // The feed-forward of 2 x 1024 tokens is 10 MiB in f32.
    expect([await fits('f16'), await fits('f32')]).toEqual([true, false])
  })

  it('takes the longest prompt where none is known', async () => {
    const call = { height: 64, width: 64 }
    const unknown = await planMemory(EMOJI, undefined, { call })
    // The model's tokenizer takes 32 tokens.
    expect((await planMemory(EMOJI, 'star '.repeat(100), { call })).phases).toEqual(unknown.phases)
    const short = await planMemory(EMOJI, 'star', { call })
    expect(short.phases.text.used).toBeLessThan(unknown.phases.text.used)
    const few = await planMemory(EMOJI, undefined, { call: { ...call, maxSequenceLength: 5 } })
    expect(few.phases.text.used).toBeLessThan(unknown.phases.text.used)
  })
})
