import { show } from '../../runtime/show.ts'
import { type SpecialTokens, withIds } from './special_tokens.ts'
import { corrupt, MOST_TOKENS, type TokenFile } from './vocabulary.ts'

/** What transformers' BertTokenizer takes for special tokens that its folder does not name. */
export const BERT_TOKENS: SpecialTokens['named'] = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}

/**
 * BERT's vocab.txt as the tokenizer.json that transformers derives from it (its BertTokenizer): cleaned text, lower case
 * without accents unless the config says otherwise, words at white space, punctuation and Chinese signs, word pieces.
 * @throws DitError corrupt, naming the damaged file
 */
export function convertBert(
  vocab: TokenFile,
  config: Readonly<Record<string, unknown>>,
  configWhat: string,
  tokens: SpecialTokens,
): object {
  const vocabulary = readLines(vocab)
  const added = withIds(tokens, vocabulary, vocab.what)
  const { cls_token: cls, sep_token: sep, unk_token } = tokens.named
  const option = (key: string, fallback: boolean | null) => {
    const value = config[key] ?? fallback
    if (value === null || typeof value === 'boolean') return value
    throw corrupt(configWhat, `${key} is ${show(value)}, expected true or false`)
  }
  const special = (content: string | undefined) => {
    const id = added.find((token) => token.content === content)?.id
    return { id: content, ids: [id], tokens: [content] }
  }
  const [first, last] = [cls, sep].map((id) => ({ SpecialToken: { id, type_id: 0 } }))
  const sequence = { Sequence: { id: 'A', type_id: 0 } }
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: option('tokenize_chinese_chars', true),
      strip_accents: option('strip_accents', null),
      lowercase: option('do_lower_case', true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [first, sequence, last],
      pair: [first, sequence, last, { Sequence: { id: 'B', type_id: 1 } }, { SpecialToken: { id: sep, type_id: 1 } }],
      special_tokens: { [cls!]: special(cls), [sep!]: special(sep) },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  }
}

/** One token a line: its number is the line's, from 0. Of equal lines the last counts. */
function readLines({ text, what }: TokenFile): Record<string, number> {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  if (lines.length > MOST_TOKENS) throw corrupt(what, `it has ${lines.length} lines`)
  return Object.fromEntries(lines.map((line, id) => [line.trimEnd(), id]))
}
