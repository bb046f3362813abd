import { DitError } from '../../../runtime/errors.ts'
import { toleranceOf } from '../case.ts'
import { shortName } from '../compare.ts'
import type { Run } from '../run.ts'

interface StackedOptions {
  /** Which of meta.json's tolerances. */
  kind?: string
  range?: 'own'
}

/** Compares with entry `index` of a stored tensor [entries, …]. */
export async function compareEntry(
  run: Run,
  name: string,
  index: number,
  data: ArrayLike<number>,
  { kind, range }: StackedOptions = {},
): Promise<void> {
  const stored = await (await run.io()).tensor(name)
  const [entries, ...shape] = stored.shape
  const size = stored.data.length / entries
  const expected = { shape, data: stored.data.subarray(index * size, (index + 1) * size) }
  const title = shortName(name)
  run.check(`${title}[${index}]`, { shape, data }, expected, toleranceOf(run.case, kind), { group: title, range })
}

/** Compares each step with its entry of a stored tensor [steps, …]. */
export async function compareSteps(run: Run, name: string, steps: readonly ArrayLike<number>[], kind?: string) {
  const [count] = (await (await run.io()).tensor(name)).shape
  if (steps.length !== count) {
    throw new DitError('validation', `${steps.length} steps were made, ${shortName(name)} has ${count}`)
  }
  for (const [i, step] of steps.entries()) await compareEntry(run, name, i, step, { kind, range: 'own' })
}
