import { expect } from 'vitest'
import type { DitError } from '../../src/runtime/errors.ts'

/** What `work` fails with; a test that it does not fail in fails. */
export const failure = (work: Promise<unknown>): Promise<DitError> =>
  work.then(
    () => expect.fail('no failure'),
    (error) => error,
  )
