import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { type Case, makeCase, runCase } from './case.ts'
import { unchanged } from './mutations/mutation.ts'
import { SUBJECTS } from './subjects/index.ts'
import type { Subject } from './subjects/subject.ts'
import { watch } from './watch.ts'

/** Cases of each subject here; `npm run fuzz` runs any number, and those that need a device. */
const CASES = 100
const HOST = SUBJECTS.filter(({ name }) => name !== 'pipeline')

it.each(HOST.map(({ name }) => name))('damaged %s give an answer or a clear error', async (name) => {
  const outcomes = new Set<string>()
  for (let number = 0; number < CASES; number++) {
    const report = await runCase(makeCase(42, number, name))
    expect([number, report.fault]).toEqual([number, undefined])
    outcomes.add(report.outcome)
  }
  expect(outcomes.size).toBeGreaterThan(1)
})

it('makes the same case of a seed and a number every time, and others of others', () => {
  const bytes = (seed: number, number: number) => {
    const { files, path, what } = makeCase(seed, number, 'tokenizers')
    return [what, Buffer.from(files.get(path) as Uint8Array).toString('base64')]
  }
  expect(bytes(7, 5)).toEqual(bytes(7, 5))
  expect(bytes(7, 5)).not.toEqual(bytes(7, 6))
  expect(bytes(7, 5)).not.toEqual(bytes(8, 5))
})

describe('a reader that does wrong is told of', () => {
  let runs = 0
  /** `run`: what it does with damaged files; the intact ones give 1. */
  const reportOf = (run: () => unknown, neutral = false) => {
    const intact = new Map([['config.json', Uint8Array.of(1)]])
    const subject: Subject = {
      name: `planted ${runs++}`,
      variants: ['v'],
      files: () => intact,
      mutate: (_, _path, bytes) => unchanged(bytes, ''),
      run: async (files) => (files === intact ? 1 : run()),
    }
    const files = new Map([['config.json', Uint8Array.of(2)]])
    return runCase({ subject, variant: 'v', path: 'config.json', what: '', neutral, files } satisfies Case)
  }
  const error =
    (message: string, kind: DitError['kind'] = 'corrupt') =>
    () => {
      throw new DitError(kind, message)
    }

  it('unless it does right', async () => {
    expect(await reportOf(() => [1, Float32Array.of(2)])).toMatchObject({ outcome: 'answer', fault: undefined })
    expect(await reportOf(error('config.json is damaged'))).toMatchObject({ outcome: 'corrupt', fault: undefined })
    expect(await reportOf(() => 1, true)).toMatchObject({ outcome: 'answer', fault: undefined })
  })

  it.each<[string, () => unknown, RegExp, boolean?]>([
    ['another exception', () => (undefined as unknown as string).length, /^not a DitError: TypeError/],
    ['not a number', () => ({ sigma: Number.NaN }), /holds NaN/],
    ['infinities in an array', () => Float32Array.of(1, Number.POSITIVE_INFINITY), /not finite/],
    ['another answer at every run', () => runs++, /the same files gave/],
    ['another answer where nothing changed', () => 2, /a change without meaning gave/, true],
    ['an error where nothing changed', error('config.json is damaged'), /a change without meaning gave/, true],
    ['a refused command', error('config.json: a bind group', 'validation'), /an unexpected kind of error: validation/],
    ['an endless message', error(`config.json ${'x'.repeat(3000)}`), /a message of 3012 characters/],
    ['a value that it could not print', error('config.json: size is undefined'), /a message for programmers/],
    ['an object that it could not print', error('config.json: size is [object Object]'), /a message for programmers/],
    ['no file and no value', error('something is wrong'), /names no file and no value/],
    ['memory without bounds', () => new Uint8Array(2 ** 30).length, /MiB of memory/],
  ])('%s', async (_, run, fault, neutral) => {
    expect(await reportOf(run, neutral)).toMatchObject({ outcome: 'fault', fault: expect.stringMatching(fault) })
  })
})

it('outlives cases that hang and that end the process, and goes on with the next', async () => {
  const reports: [number, string | undefined][] = []
  await watch({
    seed: 1,
    only: undefined,
    first: 1,
    cases: 6,
    child: fileURLToPath(new URL('./hanging_child.mjs', import.meta.url)),
    env: process.env,
    longestCase: 3000,
    onReport: (number, { fault }) => reports.push([number, fault]),
  })
  expect(reports).toEqual([
    [1, undefined],
    [2, undefined],
    [3, 'it ran for more than 3 s'],
    [4, undefined],
    [5, 'it ended the process with code 7'],
    [6, undefined],
  ])
})
