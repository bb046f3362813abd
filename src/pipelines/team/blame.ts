import { DitError } from '../../runtime/errors.ts'

/** The rank that an error of a team names. */
export function rankNamed(error: unknown): number | undefined {
  if (!(error instanceof DitError)) return undefined
  const found = /^rank (\d+)\b/.exec(error.message)
  return found ? Number(found[1]) : undefined
}
