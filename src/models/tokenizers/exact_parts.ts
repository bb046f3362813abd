import {
  BertNormalizer,
  BertPreTokenizer,
  ByteLevelPreTokenizer,
  LowercaseNormalizer,
  type Normalizer,
  PrecompiledNormalizer,
  PreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  type Tokenizer,
  WhitespaceSplitPreTokenizer,
} from '@huggingface/tokenizers'
import { BertTextNormalizer, BertWordSplitter } from './bert_parts.ts'
import { CharsMapNormalizer } from './chars_map.ts'
import { LowerCaseNormalizer } from './lower_case.ts'

/**
 * Replaces parts of a tokenizer whose JavaScript differs from the Rust tokenizers library, where the ids of published
 * checkpoints come from. `what` names the tokenizer's file in errors.
 */
export function makeExact(tokenizer: Tokenizer, what: string): void {
  tokenizer.normalizer = exactNormalizer(tokenizer.normalizer, what)
  tokenizer.pre_tokenizer = exactPreTokenizer(tokenizer.pre_tokenizer)
}

function exactNormalizer(part: Normalizer | null, what: string): Normalizer | null {
  if (part instanceof SequenceNormalizer) {
    part.normalizers = part.normalizers.map((inner) => exactNormalizer(inner, what))
  }
  if (part instanceof LowercaseNormalizer) return new LowerCaseNormalizer(part.config)
  if (part instanceof BertNormalizer) return new BertTextNormalizer(part.config)
  if (!(part instanceof PrecompiledNormalizer)) return part
  const map: unknown = part.charsmap
  return typeof map === 'string' && map !== '' ? new CharsMapNormalizer(map, what) : null
}

/** GPT-2's words, with Unicode's white space: JavaScript's \s holds U+FEFF and lacks U+0085. */
const BYTE_LEVEL_WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

class WhiteSpaceSplitter extends PreTokenizer {
  pre_tokenize_text(text: string): string[] {
    return text.match(/\P{White_Space}+/gu) ?? []
  }
}

function exactPreTokenizer(part: PreTokenizer | null): PreTokenizer | null {
  if (part instanceof SequencePreTokenizer) part.tokenizers = part.tokenizers.map(exactPreTokenizer)
  if (part instanceof WhitespaceSplitPreTokenizer) return new WhiteSpaceSplitter()
  if (part instanceof BertPreTokenizer) return new BertWordSplitter()
  if (part instanceof ByteLevelPreTokenizer) part.pattern = BYTE_LEVEL_WORDS
  return part
}
