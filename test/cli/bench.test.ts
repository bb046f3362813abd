// Both in one file: they share the device, and so the kernels that it compiled.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { runInProcess } from './run_in_process.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-bench-'))
afterAll(() => rmSync(temporary, { recursive: true }))

let folder = ''
beforeEach(() => {
  folder = join(mkdtempSync(join(temporary, 'run-')), 'results')
})

/** A small picture, 64 x 64; flags given later count. */
const run = (command: string, steps: number, flags: string[]) =>
  runInProcess([
    ...[command, '--model', MODEL, '--output_directory', folder, '--no_use_resolution_binning'],
    ...['--num_inference_steps', String(steps), '--height', '64', '--width', '64', '--prompt', 'cat', '--seed', '7'],
    ...flags,
  ])
const bench = (...flags: string[]) => run('bench', 2, flags)
const generate = (...flags: string[]) => run('generate', 3, flags)

describe('webdit bench', () => {
  it('compares what ranks draw with one device where it differs by design, or where that is asked for', async () => {
    const ranks = ['--workers', 'one_device', '--output_type', 'pil']
    const psnr = async (...flags: string[]) => {
      const { code, out } = await bench(...ranks, ...flags)
      expect(code).toBe(0)
      return /^PSNR against one device: (.*) dB$/.exec(out.at(-1)!)?.[1]
    }
    // The patches' keys are of the step before in the second step.
    expect(Number(await psnr('--pipefusion_parallel_degree', '2'))).toBeGreaterThan(10)
    expect(await psnr('--use_cfg_parallel', '--compare', 'yes')).toBe('infinite')
  })

  it('tells what a step cache spared, and compares with the same without it', async () => {
    const { code, out } = await bench('--use_fbcache', '--fbcache_threshold', '1', '--output_type', 'pil')
    expect(code).toBe(0)
    const [spared, full] = ['step', 'without'].map((start) => out.find((line) => line.startsWith(start)))
    expect(spared).toBe('step cache: spared 1 of 2 passes through the network')
    const decibels = /^without the step cache: [0-9.]+ s, [0-9.]+ times as long; PSNR ([0-9.]+) dB$/.exec(full!)?.[1]
    expect(Number(decibels)).toBeGreaterThan(10)
    // A cache that spares nothing draws the same picture.
    const idle = await generate('--use_fbcache', '--fbcache_threshold', '0', '--output_type', 'pil', '--compare', 'yes')
    expect(idle.err.join('\n')).toContain('step cache: spared 0 of 3 passes')
    expect(idle.err.join('\n')).toMatch(/times as long; PSNR infinite dB/)
    expect((await generate('--compare', 'perhaps')).err.join('\n')).toContain(
      '--compare is "perhaps", expected yes or no',
    )
  })

  it('times the calls behind the warm-up, and writes them as xDiT’s runner does, with the last pictures', async () => {
    const { code, out, err } = await bench('--num_iterations', '3', '--warmup_calls', '1')
    expect(code).toBe(0)
    const timings = JSON.parse(readFileSync(join(folder, 'timings.json'), 'utf8'))
    expect(timings).toHaveLength(3)
    for (const seconds of timings) expect(seconds).toBeGreaterThan(0)
    expect(out[0]).toMatch(/^ +mean +median +min +max$/)
    const [, mean, median, min, max] = out[1].split(/ +/)
    expect(out[1].startsWith('s/picture')).toBe(true)
    const sorted = timings.toSorted((a: number, b: number) => a - b)
    expect([min, median, max]).toEqual(sorted.map((value: number) => value.toFixed(4)))
    expect(Number(mean)).toBeCloseTo((timings[0] + timings[1] + timings[2]) / 3, 3)
    expect(out[2]).toMatch(/^s\/step/)
    expect(out.slice(3)).toEqual([join(folder, 'timings.json'), join(folder, 'cat-seed-7.png')])
    expect(err.filter((line) => line.startsWith('warm-up call'))).toHaveLength(1)
    expect(err.filter((line) => line.startsWith('iteration'))).toHaveLength(3)
  })

  it('profiles one call more, whose time counts nowhere', async () => {
    const { code, out } = await bench('--profile')
    expect(code).toBe(0)
    const trace = join(folder, 'profile_trace_rank_0.json')
    expect(out.slice(3)).toEqual([join(folder, 'timings.json'), join(folder, 'cat-seed-7.png'), trace])
    expect(JSON.parse(readFileSync(join(folder, 'timings.json'), 'utf8'))).toHaveLength(1)
    const { profile } = JSON.parse(readFileSync(trace, 'utf8'))
    expect(profile.phases.map(({ name, calls }: { name: string; calls: number }) => [name, calls])).toEqual([
      ['text', 1],
      ['step', 2],
      ['decode', 1],
    ])
    expect(profile.kernelMs).toBeGreaterThan(0)
  })

  it('refuses numbers of calls that make no sense', async () => {
    for (const [flag, value] of [
      ['--num_iterations', '0'],
      ['--num_iterations', '2.5'],
      ['--warmup_calls', '-1'],
    ]) {
      const { code, err } = await bench(flag, value)
      expect(code).toBe(2)
      expect(err[0]).toContain(`${flag} is `)
    }
    expect((await runInProcess(['bench', '--model', MODEL])).err[0]).toContain('a prompt is needed')
  })
})

describe('webdit generate --profile', () => {
  it('writes a trace beside the picture, which is the same to the bit, and tells kernels and phases', async () => {
    const plain = await generate()
    const { code, out, err } = await generate('--profile')
    expect(code).toBe(0)
    expect(out).toEqual([join(folder, 'cat-seed-7-2.png'), join(folder, 'profile_trace_rank_0.json')])
    expect(decode(readFileSync(out[0])).data).toEqual(decode(readFileSync(plain.out[0])).data)
    expect((await testDevice()).profiler).toBeUndefined()

    const { profile, traceEvents } = JSON.parse(readFileSync(out[1], 'utf8'))
    const phases = Object.fromEntries(
      profile.phases.map((phase: { name: string; calls: number }) => [phase.name, phase]),
    )
    // All kernels were compiled for the picture before.
    expect(Object.keys(phases)).toEqual(['load', 'text', 'step', 'decode'])
    expect(phases).toMatchObject({ load: { calls: 1 }, text: { calls: 1 }, step: { calls: 3 }, decode: { calls: 1 } })
    for (const name of ['text', 'step', 'decode']) expect(phases[name].kernelMs).toBeGreaterThan(0)
    const dispatches = profile.kernels.reduce((sum: number, { calls }: { calls: number }) => sum + calls, 0)
    expect(traceEvents.filter(({ tid, ph }: { tid: number; ph: string }) => ph === 'X' && tid === 2)).toHaveLength(
      dispatches,
    )
    for (const { name } of profile.kernels) expect(err.join('\n')).toContain(name)
    expect(err.join('\n')).toMatch(/all kernels +\d+ .*100\.0 %/)
  })

  it('writes the trace where it is told to', async () => {
    const trace = join(folder, 'traces', 'cat.json')
    const { code, out } = await generate('--output_type', 'latent', '--profile', trace, '--num_inference_steps', '1')
    expect([code, out[1]]).toEqual([0, trace])
    expect(JSON.parse(readFileSync(trace, 'utf8')).profile.phases).toContainEqual(
      expect.objectContaining({ name: 'step', calls: 1 }),
    )
  })

  it('refuses what is no file before it draws', async () => {
    const nofile = await generate('--profile', temporary)
    expect([nofile.code, nofile.out]).toEqual([2, []])
    expect(nofile.err.join(' ')).toContain('expected the name of a file')
    expect((await generate('--profile=')).code).toBe(2)
    const file = join(temporary, 'file')
    writeFileSync(file, '')
    const under = await generate('--profile', join(file, 'trace.json'))
    expect([under.code, under.out]).toEqual([1, []])
    expect(under.err.join(' ')).toMatch(/there is a file of that name.*--profile/)
  })

  it('stops measuring where drawing fails', async () => {
    const { code } = await generate('--profile', '--height', '81')
    expect(code).toBe(1)
    expect((await testDevice()).profiler).toBeUndefined()
    expect(existsSync(join(folder, 'profile_trace_rank_0.json'))).toBe(false)
  })
})
