import { Tokenizer } from '@huggingface/tokenizers'
import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'
import { type AddedTokenEntry, AddedTokens, byNormalization } from './added_tokens.ts'
import { makeExact } from './exact_parts.ts'

export interface EncodeOptions {
  /** Tokens at most, with the special ones; longer texts are cut before the last special tokens. */
  maxLength: number
  /** Pad all to maxLength, or to the longest of the batch. */
  padding: 'max_length' | 'longest'
}

export interface EncodedTexts {
  /** [texts, length], row-major. */
  inputIds: Int32Array
  /** [texts, length]: 1 for tokens, 0 for padding. */
  attentionMask: Int32Array
  length: number
  /** For each text what was cut off its end, decoded as diffusers' warning prints it; null where nothing was. */
  truncated: (string | null)[]
}

/** What a tokenizer needs beside its tokenizer.json. */
export interface TokenizerSettings {
  /** tokenizer_config.json. */
  config: object
  padToken: string
  modelMaxLength: number
  /** Names the tokenizer's file in errors. */
  what: string
}

/** A tokenizer of transformers: text to token ids with special tokens, cut and padded on the right. */
export class TextTokenizer {
  /** Tokens that the text encoder was made for; Infinity where the config does not tell. */
  readonly modelMaxLength: number
  private readonly tokenizer: Tokenizer
  private readonly added: AddedTokens
  /** Those that are looked for in normalized texts. */
  private readonly addedNormalized: AddedTokens
  private readonly what: string
  private readonly padId: number
  /** Special tokens before and after each text. */
  private readonly prefix: number[]
  private readonly suffix: number[]

  /** `json`: a checked tokenizer.json. @throws DitError corrupt where the tokenizers library cannot use it */
  constructor(json: { added_tokens: readonly AddedTokenEntry[] }, settings: TokenizerSettings) {
    this.what = settings.what
    this.modelMaxLength = settings.modelMaxLength
    this.tokenizer = this.guard(() => new Tokenizer(json, settings.config))
    makeExact(this.tokenizer, settings.what)
    const { plain, normalized } = byNormalization(json.added_tokens)
    this.added = new AddedTokens(plain)
    this.addedNormalized = this.guard(() => new AddedTokens(normalized, (content) => this.normalize(content)))
    const padId = this.tokenizer.token_to_id(settings.padToken)
    if (padId === undefined) throw this.corrupt(`it lacks the padding token ${show(settings.padToken)}`)
    this.padId = padId

    const content = this.ids('a')
    const whole = this.guard(() => this.tokenizer.encode('a').ids)
    const start = whole.findIndex((_, i) => content.every((id, k) => whole[i + k] === id))
    if (content.length === 0 || start < 0) throw this.corrupt('it makes no tokens of a letter')
    this.prefix = whole.slice(0, start)
    this.suffix = whole.slice(start + content.length)
  }

  /** @throws DitError bad-argument for a maxLength with no room for the special tokens */
  encode(texts: readonly string[], options: EncodeOptions): EncodedTexts {
    const { prefix, suffix } = this
    const room = options.maxLength - prefix.length - suffix.length
    if (!Number.isInteger(room) || room < 0) {
      const least = prefix.length + suffix.length
      throw new DitError('bad-argument', `maxLength is ${options.maxLength}, expected an integer of at least ${least}`)
    }
    const contents = texts.map((text) => this.ids(text))
    const rows = contents.map((content) => [...prefix, ...content.slice(0, room), ...suffix])
    const longest = Math.max(0, ...rows.map((row) => row.length))
    const length = options.padding === 'max_length' ? options.maxLength : longest
    const inputIds = new Int32Array(texts.length * length).fill(this.padId)
    const attentionMask = new Int32Array(texts.length * length)
    rows.forEach((row, i) => {
      inputIds.set(row, i * length)
      attentionMask.fill(1, i * length, i * length + row.length)
    })
    const truncated = contents.map((content) => (content.length > room ? this.decode(content.slice(room)) : null))
    return { inputIds, attentionMask, length, truncated }
  }

  /** Without special tokens but for those in the text. */
  private ids(text: string): number[] {
    const ids = this.guard(() =>
      this.added.split(text).flatMap((piece, section) => {
        if (typeof piece === 'number') return piece
        const parts = this.addedNormalized.split(this.normalize(piece))
        return parts.flatMap((part) => (typeof part === 'number' ? part : this.idsOfPart(part, section)))
      }),
    )
    if (!ids.every(Number.isInteger)) throw this.corrupt(`it has no token for a part of ${show(text)}`)
    return ids
  }

  /** @param section the part's place among the pieces of its text */
  private idsOfPart(part: string, section: number): number[] {
    const { pre_tokenizer: splitter, model } = this.tokenizer
    const words = splitter ? splitter.pre_tokenize(part, { section_index: section }) : [part]
    return model!._call(words).map((token) => this.tokenizer.token_to_id(token) ?? model!.unk_token_id!)
  }

  private normalize(text: string): string {
    return this.tokenizer.normalizer?.normalize(text) ?? text
  }

  private decode(ids: number[]): string {
    return this.guard(() => this.tokenizer.decode(ids))
  }

  /** The library trusts its files: whatever it trips over was wrong in them. */
  private guard<T>(act: () => T): T {
    try {
      return act()
    } catch (cause) {
      if (cause instanceof DitError) throw cause
      throw this.corrupt(reason(cause), cause)
    }
  }

  private corrupt(why: string, cause?: unknown): DitError {
    return new DitError('corrupt', `${this.what} is no usable tokenizer: ${why}`, 'Fetch the file again.', { cause })
  }
}

/** Characters of what the library says. */
const MOST_REASON = 200

/** What the library says of a file that it checked. Its TypeErrors and the like tell nobody but its authors anything. */
function reason(cause: unknown): string {
  const said = cause instanceof Error && cause.constructor === Error
  return said ? cause.message.slice(0, MOST_REASON) : 'the tokenizers library cannot make sense of its parts'
}
