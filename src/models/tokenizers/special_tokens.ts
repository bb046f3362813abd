import { show } from '../../runtime/show.ts'
import type { AddedTokenEntry } from './added_tokens.ts'
import { corrupt } from './vocabulary.ts'

/** transformers' names of special tokens, in the order in which it adds them to a vocabulary. */
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const

export type SpecialTokenName = (typeof NAMES)[number]

/** An added token with all its flags, as tokenizer.json has them. */
export type AddedToken = Required<AddedTokenEntry>

/** What a tokenizer's folder says of its special tokens, before any vocabulary gave them ids. */
export interface SpecialTokens {
  readonly named: Readonly<Partial<Record<SpecialTokenName, string>>>
  /** As transformers adds them: those of added_tokens_decoder in the order of their ids, then the named ones. */
  readonly added: readonly (Omit<AddedToken, 'id'> & { readonly id?: number })[]
}

/**
 * The special tokens of tokenizer_config.json, or of special_tokens_map.json where the former is older than
 * added_tokens_decoder (transformers' rule); `defaults` are the tokenizer class's own.
 * @throws DitError corrupt, naming the config as `what`
 */
export function readSpecialTokens(
  config: Readonly<Record<string, unknown>>,
  map: Readonly<Record<string, unknown>>,
  defaults: SpecialTokens['named'],
  what: string,
): SpecialTokens {
  const listed = config.added_tokens_decoder
  const values: Record<string, unknown> = { ...defaults, ...present(config), ...(listed === undefined && present(map)) }
  const added = listed === undefined ? [] : readListed(listed, what)
  const contents = new Set(added.map(({ content }) => content))
  const named: Partial<Record<SpecialTokenName, string>> = {}
  for (const name of NAMES) {
    if (values[name] === undefined) continue
    const token = readToken(values[name], true, what)
    named[name] = token.content
    if (!contents.has(token.content)) added.push(token)
  }
  return { named, added }
}

/** The added tokens with their ids in a vocabulary. @throws DitError corrupt for tokens that have none */
export function withIds(
  { added }: SpecialTokens,
  vocabulary: Readonly<Record<string, number>>,
  what: string,
): AddedToken[] {
  const tokens = new Map<string, AddedToken>()
  for (const token of added) {
    const id = Object.hasOwn(vocabulary, token.content) ? vocabulary[token.content] : token.id
    if (id === undefined) throw corrupt(what, `the special token ${show(token.content)} is not in the vocabulary`)
    // A name may repeat another's token with other flags: the later one counts.
    tokens.set(token.content, { ...token, id })
  }
  return [...tokens.values()].sort((a, b) => a.id - b.id)
}

function present(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(NAMES.filter((name) => values[name] != null).map((name) => [name, values[name]]))
}

function readListed(listed: unknown, what: string): SpecialTokens['added'][number][] {
  if (typeof listed !== 'object' || listed === null) {
    throw corrupt(what, `added_tokens_decoder is ${show(listed)}, expected an object of tokens`)
  }
  return Object.entries(listed)
    .map(([key, value]) => {
      if (!/^\d{1,8}$/.test(key)) throw corrupt(what, `added_tokens_decoder has the id ${show(key)}`)
      return { ...readToken(value, false, what), id: Number(key) }
    })
    .sort((a, b) => a.id - b.id)
}

/** A token is its text, or an object that has it as `content`. */
function readToken(value: unknown, named: boolean, what: string): Omit<AddedToken, 'id'> {
  const given = (typeof value === 'object' && value !== null ? value : { content: value }) as Partial<AddedToken>
  const { content, single_word = false, lstrip = false, rstrip = false } = given
  if (typeof content !== 'string' || content === '') throw corrupt(what, `a special token is ${show(value)}`)
  const special = named || given.special === true
  return { content, single_word, lstrip, rstrip, normalized: given.normalized ?? !special, special }
}
