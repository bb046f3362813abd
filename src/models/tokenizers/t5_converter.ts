import { DitError } from '../../runtime/errors.ts'
import { toBase64 } from './base64.ts'
import type { SentencePieceModel } from './sentencepiece_model.ts'

/**
 * A T5 sentencepiece model as the tokenizer.json that transformers derives from it (its T5Tokenizer and T5Converter):
 * the pieces and the sentinels <extra_id_N>, greatest first, as a unigram model; words split at white space; </s> last.
 * @param extraIds the `extra_ids` of tokenizer_config.json
 * @throws DitError unsupported for models that are not built like T5's; corrupt without </s>
 */
export function convertT5(model: SentencePieceModel, extraIds: number, what: string): object {
  if (model.modelType !== 1 || model.byteFallback || !model.addDummyPrefix || !model.removeExtraWhitespaces) {
    throw new DitError(
      'unsupported',
      `${what} is not built like T5's: a unigram model without byte fallback, which puts a space before the text and drops extra ones, was expected`,
      'Put a tokenizer.json beside it (save_pretrained of the fast tokenizer in transformers writes one).',
    )
  }
  const { pieces } = model
  const eos = pieces.findIndex((piece) => piece.text === '</s>')
  if (eos < 0) throw new DitError('corrupt', `${what} has no piece </s>`, 'Fetch the file again.')

  const extra = Array.from({ length: extraIds }, (_, i) => `<extra_id_${extraIds - 1 - i}>`)
  const special = pieces.flatMap(({ kind, text }, id) =>
    kind === 'control' || kind === 'unknown' || kind === 'user-defined' ? [addedToken(id, text)] : [],
  )
  const sequence = { Sequence: { id: 'A', type_id: 0 } }
  const end = { SpecialToken: { id: '</s>', type_id: 0 } }
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }
  return {
    version: '1.0',
    added_tokens: [...special, ...extra.map((text, i) => addedToken(pieces.length + i, text))],
    normalizer:
      model.charsMap.length > 0 ? { type: 'Precompiled', precompiled_charsmap: toBase64(model.charsMap) } : null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    post_processor: {
      type: 'TemplateProcessing',
      single: [sequence, end],
      pair: [sequence, end, { Sequence: { id: 'B', type_id: 0 } }, end],
      special_tokens: { '</s>': { id: '</s>', ids: [eos], tokens: ['</s>'] } },
    },
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: model.unkId,
      vocab: [...pieces.map(({ text, score }) => [text, score]), ...extra.map((text) => [text, 0])],
      byte_fallback: false,
    },
  }
}

function addedToken(id: number, content: string): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}
