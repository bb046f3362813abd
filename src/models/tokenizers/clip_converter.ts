import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { type SpecialTokens, withIds } from './special_tokens.ts'
import { corrupt, readVocabulary, type TokenFile } from './vocabulary.ts'

/** What transformers' CLIPTokenizer takes for special tokens that its folder does not name. */
export const CLIP_TOKENS: SpecialTokens['named'] = {
  bos_token: '<|startoftext|>',
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
  pad_token: '<|endoftext|>',
}

/** CLIP's words: what special tokens look like, English endings, letters, single digits, runs of other signs. */
const WORDS = "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"

/**
 * CLIP's vocab.json and merges.txt as the tokenizer.json that transformers derives from them (its CLIPTokenizer):
 * NFC, white space as one space, lower case, words, bytes as letters, byte pairs merged in the order of merges.txt.
 * @throws DitError corrupt, naming the damaged file
 */
export function convertClip(vocab: TokenFile, merges: TokenFile, tokens: SpecialTokens): object {
  const vocabulary = readVocabulary(parseJson(vocab.text, vocab.what), vocab.what)
  const added = withIds(tokens, vocabulary, vocab.what)
  const { bos_token: bos, eos_token: eos, unk_token } = tokens.named
  const idOf = (content: string | undefined) => added.find((token) => token.content === content)?.id
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [eos, idOf(eos)],
      cls: [bos, idOf(bos)],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary,
      merges: readMerges(merges, vocabulary),
    },
  }
}

/** The pairs of merges.txt, one a line. Each pair and what it becomes are tokens. */
function readMerges({ text, what }: TokenFile, vocabulary: Readonly<Record<string, number>>): string[][] {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines.flatMap((line, i) => {
    if (line.startsWith('#version')) return []
    const pair = line.split(' ')
    const where = `line ${i + 1} is ${show(line)}`
    if (pair.length !== 2) throw corrupt(what, `${where}, expected two tokens`)
    for (const token of [...pair, pair.join('')]) {
      if (!Object.hasOwn(vocabulary, token)) throw corrupt(what, `${where}; vocab.json has no ${show(token)}`)
    }
    return [pair]
  })
}
