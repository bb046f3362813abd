import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'

/** Far above any vocabulary; bounds what a damaged id can make the tokenizers library allocate. */
export const MOST_TOKENS = 10_000_000

/** A text file of a tokenizer's folder. */
export interface TokenFile {
  readonly text: string
  /** Names the file in errors. */
  readonly what: string
}

export function isTokenId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MOST_TOKENS
}

/** A vocabulary that maps tokens to ids. @throws DitError corrupt, naming the file as `what` */
export function readVocabulary(json: unknown, what: string): Record<string, number> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw corrupt(what, 'the vocabulary does not map tokens to ids')
  }
  const wrong = Object.entries(json).find(([, id]) => !isTokenId(id))
  if (wrong) throw corrupt(what, `the vocabulary gives ${show(wrong[0])} the id ${show(wrong[1])}`)
  return json as Record<string, number>
}

export function corrupt(what: string, why: string): DitError {
  return new DitError('corrupt', `${what} is damaged: ${why}`, 'Fetch the file again.')
}
