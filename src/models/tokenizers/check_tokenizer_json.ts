import { show } from '../../runtime/show.ts'
import type { AddedTokenEntry } from './added_tokens.ts'
import { corrupt, isTokenId, MOST_TOKENS, readVocabulary } from './vocabulary.ts'

/**
 * Checks of a parsed tokenizer.json what the tokenizers library takes on trust and would trip over later.
 * @throws DitError corrupt, naming the file as `what`
 */
export function checkTokenizerJson(json: unknown, what: string): { added_tokens: AddedTokenEntry[] } {
  if (!isObject(json) || !isObject(json.model)) throw corrupt(what, 'it has no model')
  const { model } = json
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'])
    checkPart(json[part] ?? null, part, what)
  json.added_tokens ??= []
  if (!Array.isArray(json.added_tokens) || !json.added_tokens.every(isAddedToken)) {
    throw corrupt(what, 'an added token has no content or no sensible id')
  }
  if (model.type === 'Unigram' || Array.isArray(model.vocab)) checkUnigram(model, what)
  else readVocabulary(model.vocab, what)
  return json as { added_tokens: AddedTokenEntry[] }
}

/** A part that is there says what it is, and so do the parts that it is made of. */
function checkPart(part: unknown, name: string, what: string): void {
  if (part === null) return
  if (!isObject(part) || typeof part.type !== 'string') throw corrupt(what, `its ${name} has no type: ${show(part)}`)
  const parts = part[{ normalizer: 'normalizers', pre_tokenizer: 'pretokenizers' }[name] ?? `${name}s`]
  if (part.type !== 'Sequence' && parts === undefined) return
  if (!Array.isArray(parts)) throw corrupt(what, `its ${name} is a sequence of ${show(parts)}, a list was expected`)
  for (const inner of parts) checkPart(inner, name, what)
}

function checkUnigram(model: Record<string, unknown>, what: string): void {
  const { vocab, unk_id } = model
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > MOST_TOKENS || !vocab.every(isScoredPiece)) {
    throw corrupt(what, 'the vocabulary is no list of pieces with scores')
  }
  if (!isTokenId(unk_id) || unk_id >= vocab.length) {
    throw corrupt(what, `unk_id is ${show(unk_id)}, expected an index into ${vocab.length} pieces`)
  }
}

function isScoredPiece(entry: unknown): boolean {
  return Array.isArray(entry) && typeof entry[0] === 'string' && Number.isFinite(entry[1])
}

function isAddedToken(token: unknown): boolean {
  return isObject(token) && isTokenId(token.id) && typeof token.content === 'string' && token.content !== ''
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
