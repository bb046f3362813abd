import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { testDevice } from '../support/device.ts'
import { loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** A case of test/fixtures/diffusers. */
interface Call {
  prompt: string | string[]
  neg?: string
  seed: number
  steps: number
  g: number
  h: number
  w: number
  n?: number
}

/** 8-bit pictures, one after the other in the oracle: [pictures, 3, height, width]. */
function psnr(images: { data: ArrayLike<number> }[], expected: Uint8Array): number {
  const pixels = expected.length / images.length / 3
  let squares = 0
  images.forEach(({ data }, picture) => {
    for (let i = 0; i < pixels * 3; i++) {
      squares += (data[i] - expected[picture * pixels * 3 + (i % 3) * pixels + Math.floor(i / 3)]) ** 2
    }
  })
  return 10 * Math.log10(255 ** 2 / (squares / expected.length))
}

describe('PixArt pipeline', () => {
  let pipe: Pipeline
  beforeAll(async () => {
    pipe = await DiffusionPipeline.fromPretrained(path('../../models/emoji-pixart'), { device: await testDevice() })
  })
  afterAll(() => pipe?.dispose())

  it.each(['wide-batch', 'tall-two-images', 'no-guidance', 'odd-tokens', 'long-prompt'])(
    'draws the picture that diffusers draws: %s',
    async (name) => {
      const call: Call = JSON.parse(readFileSync(path(`../fixtures/diffusers/${name}.json`), 'utf8'))
      const expected = loadSafetensors(path(`../fixtures/diffusers/${name}.safetensors`))
      let first: Float32Array | undefined
      const { images, latents, warnings } = await pipe(call.prompt, {
        negativePrompt: call.neg,
        seed: call.seed,
        numInferenceSteps: call.steps,
        guidanceScale: call.g,
        height: call.h,
        width: call.w,
        numImagesPerPrompt: call.n,
        onStep: async ({ step, latents }) => {
          if (step === 1) first = await latents()
        },
      })
      expect(relativeL2(first!, expected.latents_step_1.data as Float32Array)).toBeLessThan(1e-4)
      expect(latents.shape).toEqual(expected.latents.shape)
      expect(relativeL2(latents.data, expected.latents.data as Float32Array)).toBeLessThan(1e-3)
      expect(psnr(images, expected.image_u8.data as Uint8Array)).toBeGreaterThan(50)
      // The part that diffusers warned of, word for word.
      const cut = `red car next to a house with garden${' a picture of a robot and a red car next to a house with garden'.repeat(2)}`
      expect(warnings).toEqual(
        name === 'long-prompt' ? [`a prompt is longer than 32 tokens; this part was cut off: "${cut}"`] : [],
      )
    },
    120_000,
  )

  it('previews what is forming, and the preview is near the picture', async () => {
    const sizes: number[][] = []
    let last: { data: ArrayLike<number> } | undefined
    const { images } = await pipe('blue heart', {
      seed: 1,
      height: 64,
      width: 64,
      numInferenceSteps: 4,
      onStep: async ({ preview }) => {
        const [small] = await preview()
        sizes.push([small.width, small.height])
        last = small
      },
    })
    expect(sizes).toEqual(Array(4).fill([8, 8]))
    const average = Array.from({ length: 8 * 8 * 3 }, (_, i) => {
      const [c, x, y] = [i % 3, Math.floor(i / 3) % 8, Math.floor(i / 24)]
      let sum = 0
      for (let p = 0; p < 64; p++) sum += images[0].data[((y * 8 + (p >> 3)) * 64 + x * 8 + (p & 7)) * 3 + c]
      return sum / 64
    })
    expect(relativeL2(last!.data, average)).toBeLessThan(0.15)
  }, 60_000)

  it('keeps memory steady over runs, and runs that overlap wait for each other', async () => {
    const options = { seed: 3, height: 48, width: 48, numInferenceSteps: 1, outputType: 'latent' } as const
    await pipe('rocket', options)
    const { reserved } = pipe.device.arena
    const [a, b] = await Promise.all([pipe('rocket', options), pipe('rocket', options)])
    expect([...a.latents.data]).toEqual([...b.latents.data])
    expect(pipe.device.arena.reserved).toBe(reserved)
  }, 60_000)

  it.each<[PipelineOptions, RegExp]>([
    [{ height: 100 }, /height is 100, which 16 does not divide: the nearest allowed are 96 and 112/],
    [{ width: 8 }, /width is 8, which 16 does not divide: the nearest allowed is 16/],
    [{ numInferenceSteps: 0 }, /0/],
    [{ numInferenceSteps: 2.5 }, /2.5/],
    [{ guidanceScale: Number.NaN }, /guidanceScale is NaN/],
    [{ guidanceScale: -1 }, /guidanceScale is -1/],
    [{ seed: -1 }, /seed is -1/],
    [{ seed: [1, 2] }, /2 seeds for 1 pictures/],
    [{ negativePrompt: ['a', 'b'] }, /2 texts for 1 prompts/],
    [{ latents: new Float32Array(3) }, /3 values/],
    [{ latents: new Float32Array(8 * 16 * 16).fill(Number.NaN) }, /not finite/],
    [{ maxSequenceLength: 0 }, /maxSequenceLength is 0/],
    [{ useResolutionBinning: true }, /no table/],
  ])('refuses bad options: %#', async (options, message) => {
    await expect(pipe('red apple', options)).rejects.toThrow(message)
  })

  it('stops when its signal fires, and draws again after', async () => {
    const stop = new AbortController()
    const options = { seed: 4, height: 48, width: 48, numInferenceSteps: 3, outputType: 'latent' } as const
    const run = pipe('snowman', { ...options, signal: stop.signal, onStep: () => stop.abort() })
    await expect(run).rejects.toMatchObject({ kind: 'aborted' })
    expect((await pipe('snowman', options)).latents.data.every(Number.isFinite)).toBe(true)
  }, 60_000)
})
