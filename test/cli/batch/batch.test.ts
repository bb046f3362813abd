import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { GOLDEN } from '../../support/golden_io.ts'
import { runInProcess } from '../run_in_process.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-batch-'))
afterAll(() => rmSync(temporary, { recursive: true }))

let [folder, table] = ['', '']
beforeEach(() => {
  const run = mkdtempSync(join(temporary, 'run-'))
  folder = join(run, 'pictures')
  table = join(run, 'prompts.csv')
})

const SMALL = [
  '--model',
  MODEL,
  '--no_use_resolution_binning',
  '--height',
  '32',
  '--width',
  '48',
  '--num_inference_steps',
  '1',
]
const batch = (...flags: string[]) => runInProcess(['batch', table, '--output_directory', folder, ...SMALL, ...flags])
const rows = (...lines: string[]) => writeFileSync(table, `${lines.join('\n')}\n`)
const manifest = () => join(folder, 'manifest.jsonl')
const lines = () =>
  readFileSync(manifest(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const pictures = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.png'))
    .sort()

describe('webdit batch', () => {
  it('draws each row as generate does, and writes a line for it', async () => {
    rows('\ufeffprompt,seed,num_inference_steps,comment', '"a ""red"" apple, cut",7,,x', '', 'dog,,2,', 'a cat,5,,')
    const { code, out, err } = await batch('--seed', '3', '--batch_size', '2', '--negative_prompt', 'blurry')
    expect(err.filter((line) => /error|webdit:/.test(line))).toEqual([])
    expect(code).toBe(0)
    const files = ['00001-a-red-apple-cut-seed-7.png', '00002-dog-seed-3.png', '00003-a-cat-seed-5.png']
    // The third goes with the first, whose size and steps it has.
    expect(out).toEqual([files[0], files[2], files[1]].map((file) => join(folder, file)))
    expect(pictures()).toEqual(files)
    expect(readdirSync(folder)).toHaveLength(4)
    expect(lines().map(({ row, file }) => [row, file])).toEqual([
      [undefined, undefined],
      [1, files[0]],
      [3, files[2]],
      [2, files[1]],
    ])
    const { text, data } = decode(readFileSync(join(folder, files[2])))
    expect(text).toMatchObject({ prompt: 'a cat', seed: '5', negative_prompt: 'blurry', num_inference_steps: '1' })
    const alone = join(temporary, 'alone')
    const flags = [
      '--prompt',
      'a cat',
      '--seed',
      '5',
      '--negative_prompt',
      'blurry',
      '--output_directory',
      alone,
      ...SMALL,
    ]
    const [path] = (await runInProcess(['generate', ...flags])).out
    expect(
      Math.max(...decode(readFileSync(path)).data.map((value, i) => Math.abs(value - data[i]))),
    ).toBeLessThanOrEqual(1)
  })

  it('goes on where it was broken off: only what is not there is drawn, with the same seed', async () => {
    rows('prompt', 'one', 'two', 'three')
    const stop = new AbortController()
    const argv = ['batch', '--dataset_path', table, '--output_directory', folder, ...SMALL]
    const first = await runInProcess(argv, stop.signal)
    expect(first.code).toBe(0)
    const { seed } = lines()[0].job
    // A line that was being written, and a picture: what kill -9 leaves.
    rmSync(join(folder, `00003-three-seed-${seed}.png`))
    const text = readFileSync(manifest(), 'utf8')
    writeFileSync(manifest(), text.slice(0, text.indexOf('"two"') - 3))
    writeFileSync(join(folder, `.00002-two.png.${crypto.randomUUID()}.tmp`), 'half a picture')
    writeFileSync(join(folder, '.webdit-batch.lock'), '999999999')
    const before = statSync(join(folder, `00001-one-seed-${seed}.png`)).mtimeMs
    const second = await batch()
    expect(second.out).toEqual(
      [2, 3].map((row) => join(folder, `0000${row}-${['two', 'three'][row - 2]}-seed-${seed}.png`)),
    )
    expect(second.err).toContain('1 of 3 rows are there already')
    expect(statSync(join(folder, `00001-one-seed-${seed}.png`)).mtimeMs).toBe(before)
    expect(
      lines()
        .slice(1)
        .map(({ row }) => row),
    ).toEqual([1, 2, 3])
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
    expect((await batch()).out).toEqual([])
    // Rows may come at the end.
    rows('prompt', 'one', 'two', 'three', 'four')
    expect((await batch()).out).toEqual([join(folder, `00004-four-seed-${seed}.png`)])
  })

  it.each<[string[], string[], string]>([
    [['text', 'x'], [], 'has no column prompt: its columns are "text"'],
    [['prompt'], [], 'has a head and no rows'],
    [['prompt,seed', 'x,1.5'], [], 'prompts.csv, line 2: seed is "1.5", expected a whole number'],
    [['prompt,seed', 'x,1', ',2'], [], 'prompts.csv, line 3 has no prompt'],
    [['prompt', '"x'], [], 'prompts.csv: '],
    [['prompt,prompt', 'x,y'], [], 'has two columns "prompt"'],
    [['prompt,height', 'x,64', 'y,65'], [], 'line 3 of the table: height is 65, which 16 does not divide'],
    [['prompt', 'x'], ['--batch_size', '0'], '--batch_size is 0'],
    [['prompt', 'x'], ['more.csv'], '2 tables are given'],
  ])('refuses %j %j before it draws', async (table, flags, message) => {
    rows(...table)
    const { code, err, out } = await batch(...flags)
    expect([code > 0, out]).toEqual([true, []])
    expect(err.join('\n')).toContain(message)
  })

  it('mixes no two jobs in a folder, and lets no two processes draw one', async () => {
    rows('prompt', 'one')
    await batch('--seed', '1')
    expect((await batch('--seed', '2')).err.join()).toContain('is of a job with another seed: 1, now 2')
    expect((await batch('--guidance_scale', '3')).err.join()).toContain('is of a job with another call')
    rows('prompt', 'another')
    expect((await batch()).err.join()).toContain('row 1 (line 2) is not the one that was drawn')
    writeFileSync(join(folder, '.webdit-batch.lock'), String(process.ppid))
    expect((await batch()).err.join()).toContain(`process ${process.ppid} draws into ${folder} already`)
    expect(existsSync(join(folder, '.webdit-batch.lock'))).toBe(true)
    writeFileSync(manifest(), 'something else\n')
    rmSync(join(folder, '.webdit-batch.lock'))
    expect((await batch()).err.join()).toContain(`line 1 of ${manifest()} is none of webdit batch`)
  })
})
