import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { VERSION } from '../../src/cli/package_info.ts'
import { writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import { GOLDEN, loadGolden, loadGoldenJson, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { runInProcess } from './run_in_process.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-generate-'))
afterAll(() => rmSync(temporary, { recursive: true }))

let folder = ''
beforeEach(() => {
  folder = join(mkdtempSync(join(temporary, 'run-')), 'pictures')
})

/** A small picture, 112 x 80, in one step; flags given later count. */
const generate = (...flags: string[]) =>
  runInProcess([
    ...['generate', '--model', MODEL, '--output_directory', folder, '--no_use_resolution_binning'],
    ...['--num_inference_steps', '1', '--height', '80', '--width', '112', ...flags],
  ])

describe('webdit generate', () => {
  it('writes a PNG that carries its parameters, and prints its path', async () => {
    const flags = ['--seed', '42', '--guidance-scale', '3.5', '--negative_prompt', 'blurry']
    const { code, out, err } = await generate('--prompt', 'A red apple, été!', ...flags)
    expect(err.filter((line) => line.startsWith('webdit'))).toEqual([])
    expect(code).toBe(0)
    expect(out).toEqual([join(folder, 'a-red-apple-été-seed-42.png')])
    const png = readFileSync(out[0])
    const { width, height, text } = decode(png)
    expect([width, height]).toEqual([112, 80])
    expect(text).toEqual({
      prompt: 'A red apple, été!',
      negative_prompt: 'blurry',
      seed: '42',
      num_inference_steps: '1',
      guidance_scale: '3.5',
      height: '80',
      width: '112',
      model: 'pipeline_pixart_sigma',
      pipeline: 'PixArtSigmaPipeline',
      scheduler: 'DPMSolverMultistepScheduler',
      software: `webdit ${VERSION}`,
    })
  })

  it('decodes in tiles where it is told to, and writes that into the file', async () => {
    const pictures: ReturnType<typeof decode>[] = []
    for (const flags of [[], ['--enable_tiling']]) {
      const { out } = await generate('--prompt', 'cat', '--seed', '7', ...flags)
      pictures.push(decode(readFileSync(out[0])))
    }
    const [whole, tiled] = pictures
    expect([tiled.width, tiled.height]).toEqual([112, 80])
    expect(tiled.data).not.toEqual(whole.data)
    expect([whole.text?.enable_tiling, tiled.text?.enable_tiling]).toEqual([undefined, 'true'])
  })

  it("draws with torch's CUDA numbers where it is told to, says so in the file, and warns of an eta in vain", async () => {
    const cpu = await generate('--prompt', 'cat', '--seed', '7')
    const cuda = await generate('--prompt', 'cat', '--seed', '7', '--generator', 'cuda', '--eta', '0.5')
    const [plain, other] = [cpu, cuda].map(({ out }) => decode(readFileSync(out[0])))
    expect(other.data).not.toEqual(plain.data)
    expect([plain.text?.generator, plain.text?.eta]).toEqual([undefined, undefined])
    expect([other.text?.generator, other.text?.eta]).toEqual(['cuda', '0.5'])
    expect(cuda.err.join('\n')).toMatch(/warning: eta is 0.5, which only DDIMScheduler takes/)
  })

  it('never overwrites', async () => {
    const first = await generate('--prompt', 'cat', '--seed', '7')
    const bytes = readFileSync(first.out[0])
    const second = await generate('--prompt', 'cat', '--seed', '7', '--num_images_per_prompt', '2')
    expect(second.out).toEqual([join(folder, 'cat-seed-7-2.png'), join(folder, 'cat-seed-7-3.png')])
    expect(readFileSync(first.out[0])).toEqual(bytes)
    // The first of two pictures starts from the same noise as the one alone.
    expect(decode(readFileSync(second.out[0])).data).toEqual(decode(bytes).data)
  })

  it('writes the latents that diffusers computes from the same noise, prompts and settings', async () => {
    const { args } = loadGoldenJson('pipeline_pixart_sigma').runs.main.call
    const golden = loadGolden('pipeline_pixart_sigma')
    const { shape, data } = golden['input.latents']
    const noise = join(temporary, 'noise.safetensors')
    writeFileSync(
      noise,
      writeSafetensors({ latents: { dtype: 'F32', shape, data: data as Float32Array<ArrayBuffer> } }),
    )
    const { code, out } = await generate(
      ...['--prompt', ...args.prompt.value, '--negative_prompt', args.negative_prompt.value, '--latents', noise],
      ...['--num_inference_steps', '5', '--guidance_scale', '4.5', '--max_sequence_length', '100'],
      ...['--output_type', 'latent'],
    )
    expect(code).toBe(0)
    const { latents } = loadSafetensors(out[0])
    expect(latents.shape).toEqual(golden['output.latents'].shape)
    const expected = golden['output.latents'].data as Float32Array
    expect(relativeL2(latents.data as Float32Array, expected)).toBeLessThan(1e-3)
  })

  it('reports a seed that nobody gave, in the name', async () => {
    const { out } = await generate('--prompt', '???', '--output_type', 'latent')
    expect(out[0]).toMatch(/picture-seed-\d+\.safetensors$/)
  })

  it('warns of a prompt that is cut, with what was cut', async () => {
    const flags = ['--max_sequence_length', '8', '--output_type', 'latent']
    const { code, err } = await generate('--prompt', 'one two three four five six seven eight nine zebra', ...flags)
    expect(code).toBe(0)
    const warnings = err.filter((line) => line.startsWith('warning: '))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/longer than 8 tokens.*zebra/)
  })

  it('stops at a signal, and leaves no file', async () => {
    const abort = new AbortController()
    abort.abort()
    const flags = ['--model', MODEL, '--output_directory', folder, '--prompt', 'cat']
    const { code, out, err } = await runInProcess(['generate', ...flags], abort.signal)
    expect({ code, out }).toEqual({ code: 130, out: [] })
    expect(err.at(-1)).toBe('webdit: cancelled')
    expect(readdirSync(folder)).toEqual([])
  })
})
