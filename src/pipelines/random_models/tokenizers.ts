/** A tokenizer whose tokens are characters: for models whose weights are random, texts only need a length. */
export interface TokenizerKind {
  readonly modelMaxLength: number
  readonly pad: Special
  /** Stands before every text. */
  readonly begin?: Special
  /** Stands behind it. */
  readonly end: Special
}

type Special = readonly [token: string, id: number]

/** Those ids of special tokens that encoders look for are the published ones. */
export const CLIP_LIKE: TokenizerKind = {
  modelMaxLength: 77,
  pad: ['<|endoftext|>', 49_407],
  begin: ['<|startoftext|>', 49_406],
  end: ['<|endoftext|>', 49_407],
}
export const T5_LIKE: TokenizerKind = { modelMaxLength: 512, pad: ['<pad>', 0], end: ['</s>', 1] }
export const BERT_LIKE: TokenizerKind = {
  modelMaxLength: 512,
  pad: ['[PAD]', 0],
  begin: ['[CLS]', 101],
  end: ['[SEP]', 102],
}

const UNKNOWN = '<unk>'
/** Where characters begin, clear of the special tokens. */
const FIRST = 200

/** tokenizer.json and tokenizer_config.json. */
export function tokenizerFiles({ modelMaxLength, pad, begin, end }: TokenizerKind): [json: unknown, config: unknown] {
  const specials = [...new Map([pad, ...(begin ? [begin] : []), end, [UNKNOWN, 2] as const]).entries()]
  const characters = Array.from({ length: 95 }, (_, i): Special => [String.fromCharCode(32 + i), FIRST + i])
  const piece = ([id]: Special) => ({ SpecialToken: { id, type_id: 0 } })
  const json = {
    version: '1.0',
    added_tokens: specials.map(([content, id]) => ({
      id,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [...(begin ? [piece(begin)] : []), { Sequence: { id: 'A', type_id: 0 } }, piece(end)],
      pair: [],
      special_tokens: Object.fromEntries(
        [begin, end].flatMap((token) =>
          token ? [[token[0], { id: token[0], ids: [token[1]], tokens: [token[0]] }]] : [],
        ),
      ),
    },
    decoder: null,
    model: { type: 'BPE', unk_token: UNKNOWN, vocab: Object.fromEntries([...specials, ...characters]), merges: [] },
  }
  return [json, { model_max_length: modelMaxLength, pad_token: pad[0], eos_token: end[0], unk_token: UNKNOWN }]
}
