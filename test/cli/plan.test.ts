import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { megabytes } from '../../src/runtime/arena.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { planWithoutDevice } from './plan_without_device.ts'
import { runInProcess } from './run_in_process.ts'

const MODEL = `${GOLDEN}pipeline_pixart_sigma`
const EMOJI = fileURLToPath(new URL('../../models/emoji-pixart', import.meta.url))

describe('webdit plan', () => {
  it('tells what each component and phase takes, without a device', async () => {
    const { code, out, err } = await planWithoutDevice(
      '--model',
      EMOJI,
      '--prompt',
      'red apple',
      'cat',
      '--height',
      '64',
    )
    expect({ code, err }).toEqual({ code: 0, err: [] })
    expect(out[0]).toBe('PixArtSigmaPipeline: 2 pictures of 128 x 64 pixels, tier f16')
    for (const row of ['text_encoder', 'transformer', 'vae']) {
      expect(out).toContainEqual(expect.stringMatching(new RegExp(`^  weights of ${row} +[\\d.]+ MiB$`)))
    }
    const phases = out.filter((line) => line.startsWith('  activations'))
    expect(phases.map((line) => line.split(' ')[5])).toEqual(['text', 'step', 'decode'])
    expect(out).toContainEqual(
      expect.stringMatching(/^ {2}greatest buffer +[\d.]+ MiB {2}\(the device allows 2.0 GiB\)$/),
    )
    expect(out.at(-1)).toBe('It fits.')
  })

  it('prints the same as JSON, in bytes, for the tier that is asked for', async () => {
    const bytes = async (...flags: string[]) =>
      JSON.parse((await planWithoutDevice('--model', EMOJI, '--prompt', 'cat', '--json', ...flags)).out.join('\n'))
    const [f16, f32] = [await bytes(), await bytes('--tier', 'f32')]
    expect([f16.tier, f32.tier]).toEqual(['f16', 'f32'])
    expect(f32.weights.transformer / f16.weights.transformer).toBeGreaterThan(1.9)
    const { out } = await planWithoutDevice('--model', EMOJI, '--prompt', 'cat', '--tier', 'f32')
    const row = out.find((line) => line.startsWith('  weights of transformer '))
    expect(row).toMatch(new RegExp(` ${megabytes(f32.weights.transformer)}$`))
  })

  it('fails where it does not fit, and names what would', async () => {
    const flags = ['--model', EMOJI, '--prompt', 'cat', '--height', '256', '--width', '256']
    const { code, out } = await planWithoutDevice(...flags, '--memory', '64MiB')
    expect(code).toBe(1)
    expect(out.at(-4)).toMatch(
      /^It does not fit: activations need more than the .* MiB that --memory leaves for them\.$/,
    )
    expect(out.at(-3)).toBe('  With --enable_tiling it does.')
    expect(out.at(-2)).toMatch(/^ {2}With --offload components it does: [\d.]+ MiB at most\.$/)
    const [, advice] = /^ {2}The largest that fits: (.*)$/.exec(out.at(-1)!)!
    const smaller = [...flags.slice(0, 4), ...advice.split(' ')]
    expect(await planWithoutDevice(...smaller, '--memory', '64MiB')).toMatchObject({ code: 0 })

    const none = await planWithoutDevice(...flags, '--memory', '1MiB')
    expect(none.code).toBe(1)
    expect(none.out.at(-1)).toMatch(/^ {2}No size fits beside [\d.]+ MiB of weights: /)
  })

  it("plans for this machine's device where it is asked to", async () => {
    const argv = ['plan', '--model', MODEL, '--prompt', 'cat', '--height', '64', '--width', '64']
    const { code, out } = await runInProcess([
      ...argv,
      '--no_use_resolution_binning',
      '--this_device',
      '--memory',
      '1GiB',
    ])
    expect(code).toBe(0)
    expect(out[0]).toBe('PixArtSigmaPipeline: a picture of 64 x 64 pixels, tier f32')
    expect((await runInProcess([...argv, '--adapter', 'x', '--memory', '1MiB'])).code).toBe(1)
  })

  it.each([
    [['--model', 'nowhere'], 1, /there is no folder nowhere/],
    [
      ['--model', MODEL, '--height', '8', '--no_use_resolution_binning'],
      1,
      /^webdit: height is 8, which 16 does not divide/,
    ],
    [['--model', MODEL, '--tier', 'f64'], 2, /--tier is "f64"/],
    [['--seed', '1'], 2, /there is no flag --seed/],
    [['--model', MODEL, '--num_images_per_prompt', '0'], 1, /--num_images_per_prompt is 0/],
  ])('refuses in two lines: %j', async (argv, code, message) => {
    const result = await planWithoutDevice(...argv)
    expect(result).toMatchObject({ code, out: [] })
    expect(result.err[0]).toMatch(message)
    expect(result.err.length).toBeLessThanOrEqual(2)
  })
})
