import { Normalizer, PreTokenizer } from '@huggingface/tokenizers'
import { ACCENTS, CHINESE, CONTROLS, PUNCTUATION } from './bert_characters.ts'
import { lowerCase } from './lower_case.ts'

/** The options of tokenizer.json's BertNormalizer. */
interface BertNormalizerConfig {
  readonly type: 'BertNormalizer'
  readonly clean_text?: boolean
  readonly handle_chinese_chars?: boolean
  /** Absent or null: where the text is lower-cased. */
  readonly strip_accents?: boolean
  readonly lowercase?: boolean
}

/**
 * BERT's clean text: no controls, spaces around Chinese signs, lower case without accents. It follows the Rust tokenizers
 * library; the JavaScript one takes no sign beyond 16 bits for Chinese, and its engine's Unicode for the library's.
 */
export class BertTextNormalizer extends Normalizer {
  declare config: BertNormalizerConfig

  normalize(text: string): string {
    const { clean_text, handle_chinese_chars, lowercase, strip_accents } = this.config
    let normal = text
    if (clean_text) normal = normal.replace(CONTROLS, '').replace(/\p{White_Space}/gu, ' ')
    if (handle_chinese_chars) normal = normal.replace(CHINESE, ' $& ')
    if (strip_accents ?? lowercase) normal = normal.normalize('NFD').replace(ACCENTS, '')
    return lowercase ? lowerCase(normal) : normal
  }
}

/** Words at white space; punctuation by itself. */
export class BertWordSplitter extends PreTokenizer {
  private readonly pattern = new RegExp(`${PUNCTUATION}|(?:(?!${PUNCTUATION})\\P{White_Space})+`, 'gu')

  pre_tokenize_text(text: string): string[] {
    return text.match(this.pattern) ?? []
  }
}
