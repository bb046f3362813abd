import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { runInProcess } from './run_in_process.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const WEIGHTS = 'transformer/diffusion_pytorch_model.safetensors'
const temporary = mkdtempSync(join(tmpdir(), 'webdit-bad-input-'))
afterAll(() => rmSync(temporary, { recursive: true }))

let folder = ''
beforeEach(() => {
  folder = join(mkdtempSync(join(temporary, 'run-')), 'pictures')
})

/** Flags of a small picture, then those of the case, which count. */
const run = (...flags: string[]) =>
  runInProcess([
    ...['generate', '--model', MODEL, '--output_directory', folder, '--no_use_resolution_binning', '--prompt', 'cat'],
    ...['--num_inference_steps', '1', '--height', '80', '--width', '112', ...flags],
  ])

/** One line or two that say what is wrong, a code that says that something is, and nothing left behind. */
async function expectRefusal(flags: string[], code: number, message: RegExp): Promise<void> {
  const result = await run(...flags)
  const at = result.err.findIndex((line) => line.startsWith('webdit: '))
  const complaint = result.err.slice(at)
  expect(complaint[0]).toMatch(message)
  expect(complaint.length).toBeLessThanOrEqual(2)
  expect(result.err.filter((line) => /^\s+at |undefined|\[object/.test(line))).toEqual([])
  expect({ code: result.code, out: result.out }).toEqual({ code, out: [] })
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([])
}

/** A copy of the model that `damage` spoils. */
function spoiled(damage: (model: string) => void): string {
  const copy = mkdtempSync(join(temporary, 'model-'))
  cpSync(MODEL, copy, { recursive: true })
  damage(copy)
  return copy
}

/** Replaces text in the header of a safetensors file by text of the same length. */
function editHeader(file: string, pattern: RegExp, replace: (found: string) => string): void {
  const bytes = readFileSync(file)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = bytes.toString('latin1', 8, 8 + length)
  const edited = header.replace(pattern, replace)
  if (edited === header || edited.length !== length) throw new Error(`nothing of that length to replace in ${file}`)
  bytes.write(edited, 8, 'latin1')
  writeFileSync(file, bytes)
}

function latentsFile(shape: number[], fill: number): string {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill)
  const file = join(mkdtempSync(join(temporary, 'latents-')), 'noise.safetensors')
  writeFileSync(file, writeSafetensors({ latents: { dtype: 'F32', shape, data } }))
  return file
}

describe('a command line that makes no sense', () => {
  it.each([
    [['--output_type', 'jpeg'], /--output_type is "jpeg", expected pil or latent/],
    [['--weights', 'int3'], /--weights: "int3" is no format of weights/],
    [['--weights', 'transformer=int8,text_encoder=q4'], /--weights: "q4" is no format of weights/],
    [['--generator', 'mps'], /--generator is "mps", expected cpu or cuda/],
    [['--eta', 'much'], /--eta is "much", expected a number/],
    [['--hieght', '80'], /did you mean --height\?/],
    [['--num_inference_steps', 'many'], /--num_inference_steps is "many", expected a whole number/],
  ])('%j', (flags, message) => expectRefusal(flags, 2, message))

  it('no prompt, no such command', async () => {
    expect((await runInProcess(['generate'])).err[0]).toBe('webdit: a prompt is needed: what to draw')
    const { code, err } = await runInProcess(['genrate'])
    expect({ code, line: err[0] }).toEqual({
      code: 2,
      line: 'webdit: there is no command "genrate": did you mean generate?',
    })
    expect(err[1]).toMatch(/The commands are generate, .*plan, bench, verify, doctor;/)
  })
})

describe('options out of range', () => {
  it.each([
    [['--num_inference_steps', '0'], /steps is 0, expected .* from 1/],
    [['--num_inference_steps', '100000'], /steps is 100000, expected .* 1 to 1000/],
    [['--guidance_scale', '-1'], /--guidance_scale is -1, expected a number from 0/],
    [['--num_images_per_prompt', '0'], /--num_images_per_prompt is 0/],
    [['--max_sequence_length', '0'], /--max_sequence_length is 0/],
    [['--seed', '-1'], /seed is -1/],
    [['--eta', '2'], /eta is 2, expected a number from 0 to 1/],
    [['--height', '81'], /height is 81, .* nearest allowed are 80 and 96/],
    [['--width', '5'], /width is 5, .* nearest allowed is 16/],
    [['--negative_prompt', 'a', 'b'], /--negative_prompt has 2 texts for 1 prompts/],
    [['--variant', 'fp16'], /has the variant "fp16"/],
    [['--weights', 'unet=int4'], /weights are given for "unet", and this model has no such component/],
    [['--weights', 'vae=int8'], /vae has no blocks of linear layers/],
    [
      ['--weights', 'transformer=int4_sym_g128'],
      /\.weight of .*transformer has \d+ inputs, which are no whole groups of 128/,
    ],
  ])('%j', (flags, message) => expectRefusal(flags, 1, message))
})

describe('memory', () => {
  it('too little stated for the weights', () => expectRefusal(['--memory', '500KB'], 1, /needs .* --memory leaves/))
  it('too little stated for the size', () =>
    expectRefusal(['--memory', '3MB'], 1, /activations need more than .* --memory/))
  it('a size that no buffer of the device holds', () =>
    expectRefusal(['--height', '16384', '--width', '16384'], 1, /needs a buffer of|could not hold/))
})

describe('models', () => {
  it.each<[string, RegExp, (model: string) => void]>([
    ['no such component', /there is no .*vae/, (model) => rmSync(join(model, 'vae'), { recursive: true })],
    ['no model_index.json', /there is no .*model_index\.json/, (model) => rmSync(join(model, 'model_index.json'))],
    [
      'another class',
      /names the pipeline class "StableDiffusionPipeline"; webdit has/,
      (model) => writeFileSync(join(model, 'model_index.json'), '{"_class_name": "StableDiffusionPipeline"}'),
    ],
    ['JSON that is none', /model_index\.json/, (model) => writeFileSync(join(model, 'model_index.json'), '{"_class')],
    ['truncated weights', /not a valid safetensors file/, (model) => truncateSync(join(model, WEIGHTS), 50_000)],
    [
      'weights that are noise',
      /not a valid safetensors file/,
      (model) => writeFileSync(join(model, WEIGHTS), Buffer.alloc(4096, 0xa7)),
    ],
    ['weights of integers', /I16/, (model) => editHeader(join(model, WEIGHTS), /"F16"/, () => '"I16"')],
    [
      'weights of another shape',
      /proj_out\.weight.*\[32, 64\].*\[64, 32\]|proj_out\.weight.*\[64, 32\].*\[32, 64\]/,
      (model) =>
        editHeader(join(model, WEIGHTS), /"proj_out\.weight":\{[^}]*"shape":\[\d+,\d+\]/, (found) =>
          found.replace(/\[(\d+),(\d+)\]/, '[$2,$1]'),
        ),
    ],
  ])('%s', (_, message, damage) => expectRefusal(['--model', spoiled(damage)], 1, message))

  it('no such folder', () => expectRefusal(['--model', join(temporary, 'nowhere')], 1, /there is no folder .*nowhere/))
})

describe('files', () => {
  it('a folder that cannot be made', () =>
    expectRefusal(['--output_directory', join(MODEL, 'model_index.json', 'x')], 1, /cannot write into the folder/))
  it('a file where the folder should be', () =>
    expectRefusal(['--output_directory', join(MODEL, 'model_index.json')], 1, /there is a file of that name/))
  it.runIf(process.platform === 'linux')('a file system that takes no folders', () =>
    expectRefusal(['--output_directory', '/proc/webdit'], 1, /cannot write into the folder \/proc\/webdit/),
  )

  it('latents that are not there, not safetensors, not four-dimensional, of another size, not numbers', async () => {
    await expectRefusal(['--latents', join(temporary, 'none.safetensors')], 1, /there is no file .*none\.safetensors/)
    await expectRefusal(['--latents', join(MODEL, 'model_index.json')], 1, /not a valid safetensors file/)
    await expectRefusal(['--latents', latentsFile([4, 10, 14], 0)], 1, /shape \[4, 10, 14\], expected \[pictures/)
    await expectRefusal(['--latents', latentsFile([1, 4, 14, 10], 0)], 1, /pictures of 80x112 .* asked for are 112x80/)
    await expectRefusal(['--latents', latentsFile([2, 4, 10, 14], 0)], 1, /latents have 1120 values/)
    await expectRefusal(['--latents', latentsFile([1, 4, 10, 14], Number.NaN)], 1, /not finite numbers/)
  })
})
