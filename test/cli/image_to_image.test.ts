import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode, encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GOLDEN, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { runInProcess } from './run_in_process.ts'

const CASE = fileURLToPath(new URL('../fixtures/image_to_image/', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'webdit-image-to-image-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const generate = (model: string, ...flags: string[]) =>
  runInProcess(['generate', '--model', join(GOLDEN, model), '--output_directory', join(temporary, 'out'), ...flags])

describe('webdit generate --image', () => {
  const { call } = JSON.parse(readFileSync(join(CASE, 'sd3-each.json'), 'utf8'))
  const io = loadSafetensors(join(CASE, 'sd3-each.safetensors'))
  const files = [0, 1].map((i) => join(temporary, `picture-${i}.png`))
  const flags = [
    ...['--prompt', ...call.prompt, '--negative_prompt', ...call.negativePrompt, '--seed', '42'],
    ...['--height', '48', '--width', '80', '--num_inference_steps', '5', '--guidance_scale', '5'],
    ...['--max_sequence_length', '40'],
  ]
  beforeAll(() => {
    for (const [i, file] of files.entries()) {
      const { shape, data } = io[`input.image_${i}`]
      writeFileSync(file, encode({ height: shape[0], width: shape[1], channels: 3, data: data as Uint8Array }))
    }
  })

  it('starts from the files as diffusers does, and names them', async () => {
    const { code, out, err } = await generate('pipeline_sd3', ...flags, '--image', ...files, '--output_type', 'latent')
    expect(err.filter((line) => line.startsWith('webdit'))).toEqual([])
    expect(code).toBe(0)
    const { latents } = loadSafetensors(out[0])
    expect(relativeL2(latents.data as Float32Array, io['output.latents'].data as Float32Array)).toBeLessThan(2e-5)
    const text = readFileSync(out[0]).toString('latin1')
    expect(text).toContain('"strength":"0.6"')
    expect(text).toContain(JSON.stringify(JSON.stringify(['picture-0.png', 'picture-1.png'])))
  })

  it('writes into each picture what it came from, with the steps of image-to-image', async () => {
    const own = [
      '--prompt',
      'cat',
      '--height',
      '16',
      '--width',
      '16',
      '--strength',
      '0.02',
      '--max_sequence_length',
      '13',
    ]
    const { out } = await generate('pipeline_sd3', ...own, '--image', files[1], '--seed', '1')
    expect(decode(readFileSync(out[0])).text).toMatchObject({
      image: 'picture-1.png',
      strength: '0.02',
      num_inference_steps: '50',
      guidance_scale: '7',
    })
  })

  it('starts ranks from it, too', async () => {
    const mesh = ['--ulysses_degree', '2', '--workers', 'one-device']
    const { code, out, err } = await generate(
      'pipeline_sd3',
      ...flags,
      '--image',
      ...files,
      '--output_type',
      'latent',
      ...mesh,
    )
    expect([code, err.filter((line) => line.startsWith('webdit'))]).toEqual([0, []])
    const { latents } = loadSafetensors(out[0])
    expect(relativeL2(latents.data as Float32Array, io['output.latents'].data as Float32Array)).toBeLessThan(2e-5)
  })

  it.each<[string, string, () => string[], RegExp]>([
    [
      'three pictures for two prompts',
      'pipeline_sd3',
      () => [...flags, '--image', ...files, files[0]],
      /has 3 pictures/,
    ],
    ['strength alone', 'pipeline_sd3', () => [...flags, '--strength', '0.5'], /there is no image to start from/],
    ['strength of 2', 'pipeline_sd3', () => [...flags, '--image', files[0], '--strength', '2'], /strength is 2/],
    [
      'no such file',
      'pipeline_sd3',
      () => [...flags, '--image', join(temporary, 'no.png')],
      /there is no file .*no\.png/,
    ],
    ['no PNG', 'pipeline_sd3', () => [...flags, '--image', join(CASE, 'sd3-each.json')], /is no PNG that can be read/],
    [
      'a model that starts from noise alone',
      'pipeline_pixart_sigma',
      () => ['--prompt', 'cat', '--image', files[0]],
      /image is given, which PixArtSigmaPipeline does not take/,
    ],
  ])('is refused before anything loads: %s', async (_, model, given, message) => {
    const { code, out, err } = await generate(model, ...given())
    expect([code, out]).toEqual([1, []])
    expect(err.join('\n')).toMatch(message)
    expect(err.join('\n')).not.toMatch(/model: /)
  })
})
