import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { GOLDEN } from '../support/golden_io.ts'
import { planWithoutDevice } from './plan_without_device.ts'

const EMOJI = fileURLToPath(new URL('../../models/emoji-pixart', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'webdit-devices-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const plan = (...argv: string[]) => planWithoutDevice('--model', EMOJI, ...argv)

describe('webdit plan --devices', () => {
  const MACHINE = ['--device_flops', '10GFLOPS', '--link_bandwidth', '1GB/s', '--link_latency', '1ms']

  it('ranks ways to divide a picture, as flags to paste, beside one device', async () => {
    const { code, out, err } = await plan('--devices', '4', ...MACHINE)
    expect({ code, err }).toEqual({ code: 0, err: [] })
    expect(out[0]).toBe('PixArtSigmaPipeline: a picture of 128 x 128 pixels in 20 steps, tier f16')
    expect(out[1]).toContain('4 devices, each 10.0 GFLOP/s')
    const rows = out.slice(4).filter((line) => line.startsWith('--'))
    const seconds = rows.map((line) => Number(line.split(/ {2,}/)[2]))
    expect(seconds.length).toBeGreaterThan(8)
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b))
    const pasted = rows.map((line) => line.split(/ {2,}/)[0].split(' '))
    for (const flags of pasted) expect((await plan(...flags, ...MACHINE)).out[4]).toContain(flags.join(' '))
    expect(out.findLast((line) => line.startsWith('one device'))).toContain('1.00x')
  })

  it.each([
    ['pipeline_flux_dev', 'FluxPipeline', []],
    ['pipeline_sd3', 'StableDiffusion3Pipeline', ['--guidance_scale', '5']],
  ])('plans for families with joint attention: %s', async (model, pipeline, flags) => {
    const size = ['--height', '64', '--width', '64', ...flags]
    const { code, out } = await planWithoutDevice('--model', join(GOLDEN, model), ...size, '--devices', '4', ...MACHINE)
    expect(code).toBe(0)
    expect(out[0]).toBe(`${pipeline}: a picture of 64 x 64 pixels in 28 steps, tier f16`)
    expect(out.filter((line) => line.startsWith('--')).length).toBeGreaterThan(5)
  })

  it('tells the same in JSON, and how it comes to its numbers', async () => {
    const { out } = await plan('--devices', '2', '--json', ...MACHINE)
    const { meshes, oneDevice, machine } = JSON.parse(out.join('\n'))
    expect(machine).toMatchObject({ linear: 1e10, attention: 1e10, bandwidth: 1e9, latency: 1e-3 })
    expect(meshes[0].denoising).toBeLessThan(oneDevice.denoising)
    const { out: lines } = await plan('--devices', '2', '--explain', ...MACHINE)
    const terms = lines.filter((line) => line.startsWith('    '))
    expect(terms.length).toBeGreaterThan(6)
    for (const line of terms) expect(line).toMatch(/^ {4}[a-z, ]+: [\d.e-]+ (s|MiB|GiB) = /)
    const [linear] = terms.filter((line) => line.includes('linear layers'))
    expect(linear).toContain('8 blocks')
  })

  it('fails where no mesh fits', async () => {
    const { code, out } = await plan('--devices', '2', '--memory', '20MiB')
    expect(code).toBe(1)
    expect(out[4]).toContain('too much')
  })

  it.each([
    [['--devices', '0'], /--devices is "0"/, 2],
    [
      ['--devices', '2', '--link_bandwidth', '3'],
      /--link_bandwidth is "3", expected a number above 0 in MB\/s or GB\/s/,
      2,
    ],
    [['--devices', '2', '--device_flops', '-1TFLOPS'], /--device_flops is "-1TFLOPS"/, 2],
    [['--devices', '3', '--ulysses_degree', '2'], /make 2 ranks, and devices is 3/, 1],
    [['--devices', '997'], /997 devices: nothing divides/, 1],
  ])('refuses %j', async (flags, message, code) => {
    const refused = await plan(...flags)
    expect(refused.err.join('\n')).toMatch(message)
    expect(refused.code).toBe(code)
  })
})

describe('webdit generate --devices', () => {
  it('measures, chooses a mesh that draws what one device draws, and draws', { timeout: 90_000 }, async () => {
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const call = ['--height', '64', '--width', '64', '--no_use_resolution_binning', '--num_inference_steps', '2']
    const model = ['--model', join(GOLDEN, 'pipeline_pixart_sigma'), '--prompt', 'cat', '--output_directory', temporary]
    const child = spawn(process.execPath, [cli, 'generate', ...model, ...call, '--devices', '2'], { stdio: 'pipe' })
    let err = ''
    child.stderr.on('data', (chunk) => (err += chunk))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(err).toMatch(/^mesh: --(use_cfg_parallel|(ulysses|ring|tensor_parallel)_degree 2), predicted [\d.]+ times/m)
    expect(code).toBe(0)
    expect(readdirSync(temporary).filter((name) => name.endsWith('.png'))).toHaveLength(1)
  })
})
