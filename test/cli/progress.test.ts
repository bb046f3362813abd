import { expect, it } from 'vitest'
import { duration, StepProgress } from '../../src/cli/generate/progress.ts'

/** A run of `steps` steps, the first after 10 s (it compiles), the others a half second each. */
function watch(steps: number, terminal: boolean): { notes: string[]; statuses: string[] } {
  const notes: string[] = []
  const statuses: string[] = []
  let now = 0
  const progress = new StepProgress(
    { note: (line) => notes.push(line), status: (text) => statuses.push(text), terminal },
    () => now,
  )
  for (let step = 1; step <= steps; step++) {
    now += step === 1 ? 10_000 : 500
    progress.update(step, steps)
  }
  return { notes, statuses }
}

it('draws a bar on a terminal, with the speed and the time left', () => {
  const { notes, statuses } = watch(20, true)
  expect(notes).toEqual([])
  expect(statuses).toHaveLength(20)
  expect(statuses[9]).toBe(`${'█'.repeat(12)}${'░'.repeat(12)} step 10 of 20, 2.00 it/s, 5.0 s left`)
  expect(statuses[19]).toBe(`${'█'.repeat(24)} step 20 of 20, 2.00 it/s`)
})

it('prints a few lines elsewhere', () => {
  expect(watch(20, false).notes).toEqual([
    'step 1 of 20',
    'step 5 of 20, 2.00 it/s, 7.5 s left',
    'step 10 of 20, 2.00 it/s, 5.0 s left',
    'step 15 of 20, 2.00 it/s, 2.5 s left',
    'step 20 of 20, 2.00 it/s',
  ])
  expect(watch(1, false).notes).toEqual(['step 1 of 1'])
})

it('tells durations as people do', () => {
  expect([0.04, 9.96, 61.2, 3725].map(duration)).toEqual(['0.0 s', '10.0 s', '61 s', '62 min 05 s'])
})
