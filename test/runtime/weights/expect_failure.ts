import { expect } from 'vitest'
import { DitError, type DitErrorKind } from '../../../src/runtime/errors.ts'

/** Awaits a failure and checks that it is a DitError of this kind that names each of these. */
export async function expectFailure(work: Promise<unknown>, kind: DitErrorKind, ...named: string[]): Promise<DitError> {
  const error = await work.then(
    (value) => expect.fail(`no failure, but ${String(value)}`),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(DitError)
  expect(error.kind).toBe(kind)
  for (const part of named) expect(error.message).toContain(part)
  return error
}
