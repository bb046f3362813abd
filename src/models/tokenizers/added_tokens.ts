/** What tokenizer.json says of a token that is cut out of texts before the rest is tokenized. */
export interface AddedTokenEntry {
  readonly id: number
  readonly content: string
  /** Not inside a word. */
  readonly single_word?: boolean
  /** White space before it goes with it. */
  readonly lstrip?: boolean
  readonly rstrip?: boolean
  /** Looked for in the normalized text. Default: unless it is special. */
  readonly normalized?: boolean
  readonly special?: boolean
}

/** Part of a text: text still, or the id of an added token. */
export type Piece = string | number

/**
 * Cuts added tokens out of texts: the leftmost first, the longest of those that begin there, as the Rust tokenizers library
 * does. The JavaScript one also takes a text for an added token that becomes one by being normalized.
 */
export class AddedTokens {
  readonly #pattern: RegExp | undefined
  readonly #tokens: ReadonlyMap<string, AddedTokenEntry>

  /** @param written how a token is written in the texts to come: as its content, or normalized */
  constructor(tokens: readonly AddedTokenEntry[], written: (content: string) => string = (content) => content) {
    const entries = tokens.map((token) => [written(token.content), token] as const).filter(([text]) => text !== '')
    this.#tokens = new Map(entries)
    const longestFirst = [...this.#tokens].sort(([a], [b]) => b.length - a.length)
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(patternOf).join('|'), 'gu')
  }

  split(text: string): Piece[] {
    const pieces: Piece[] = []
    let at = 0
    for (const { 0: found, index } of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const token = this.#tokens.get(found)!
      const before = text.slice(at, index)
      pieces.push(token.lstrip ? before.replace(/\p{White_Space}+$/u, '') : before, token.id)
      at = index + found.length
      if (token.rstrip) at += /^\p{White_Space}*/u.exec(text.slice(at))![0].length
    }
    return [...pieces, text.slice(at)].filter((piece) => piece !== '')
  }
}

const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]'

function patternOf([text, token]: [string, AddedTokenEntry]): string {
  const escaped = text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  return token.single_word ? `(?<!${WORD})${escaped}(?!${WORD})` : escaped
}

/** The tokens that are looked for in texts as they are, and those that are in normalized ones. */
export function byNormalization(tokens: readonly AddedTokenEntry[]): {
  plain: AddedTokenEntry[]
  normalized: AddedTokenEntry[]
} {
  const isNormalized = ({ normalized, special }: AddedTokenEntry) => normalized ?? !special
  return { plain: tokens.filter((token) => !isNormalized(token)), normalized: tokens.filter(isNormalized) }
}
