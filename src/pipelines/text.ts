import type { Component } from '../models/component.ts'
import { t5Encoder } from '../models/t5/encoder.ts'
import type { TextTokenizer } from '../models/tokenizers/text_tokenizer.ts'
import { DitError } from '../runtime/errors.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Text } from './picture_texts.ts'

/** What pipelines ask of a tokenizer. */
export type PromptTokenizer = Pick<TextTokenizer, 'encode' | 'modelMaxLength'>

/** Tokens of a batch of prompts, all of one length. */
export interface TokenBatch {
  /** [batch · length]. */
  readonly ids: Int32Array
  /** 1 for text, 0 for padding. */
  readonly mask: Int32Array
  readonly batch: number
  readonly length: number
  /** What diffusers would warn of: texts that were cut. */
  readonly warnings: string[]
}

/** Pads or cuts every text to `maxLength` tokens; `what` names them in warnings. */
export function tokenize(
  tokenizer: PromptTokenizer,
  texts: readonly string[],
  maxLength: number,
  what: string | ((index: number) => string),
): TokenBatch {
  const { inputIds, attentionMask, length, truncated } = tokenizer.encode([...texts], {
    maxLength,
    padding: 'max_length',
  })
  const named = (i: number) => (typeof what === 'string' ? what : what(i))
  const warnings = truncated.flatMap((cut, i) =>
    cut === null
      ? []
      : [`a ${named(i)} is longer than ${maxLength} tokens; this part was cut off: ${JSON.stringify(cut)}`],
  )
  return { ids: inputIds, mask: attentionMask, batch: texts.length, length, warnings }
}

/** The tokens that one of a pipeline's encoders is given, counted from 0. */
export const readTokens = (
  tokenizer: PromptTokenizer,
  texts: readonly Text[],
  encoder: 0 | 1 | 2,
  maxLength: number,
  clean: (text: string) => string = (text) => text,
): TokenBatch =>
  tokenize(
    tokenizer,
    texts.map(({ of }) => clean(of[encoder])),
    maxLength,
    (i) => (texts[i].negative ? 'negative prompt' : 'prompt'),
  )

/** Batches one after the other; all must have one length. */
export function joinBatches(a: TokenBatch, b: TokenBatch): TokenBatch {
  const join = (x: Int32Array, y: Int32Array) => Int32Array.from([...x, ...y])
  return {
    ids: join(a.ids, b.ids),
    mask: join(a.mask, b.mask),
    batch: a.batch + b.batch,
    length: a.length,
    warnings: [...a.warnings, ...b.warnings],
  }
}

/**
 * Drops the columns that are padding in every text. Exact: a masked key has weight 0 in float32, so no result at a
 * text position depends on it, and a prompt of three words need not cost 300 tokens in every block and step.
 */
export function trimPadding({ ids, mask, batch, length, warnings }: TokenBatch): TokenBatch {
  let longest = 1
  for (let i = 0; i < mask.length; i++) if (mask[i]) longest = Math.max(longest, (i % length) + 1)
  const keep = (x: Int32Array) => x.filter((_, i) => i % length < longest)
  return { ids: keep(ids), mask: keep(mask), batch, length: longest, warnings }
}

/**
 * Hidden states [batch, length, width] of T5.
 *
 * @param masked whether padding is masked, as PixArt and HunyuanDiT have it; it takes part in SD3 and FLUX
 */
export function encodeWithT5(
  g: Recorder,
  t5: Component<'T5EncoderModel'>,
  tokens: TokenBatch,
  masked = true,
): Promise<Tensor> {
  checkTokens(tokens, t5.config.vocabulary)
  return t5Encoder(g, t5.config, t5.weights, tokens.ids, tokens.batch, masked ? tokens.mask : undefined)
}

/** @throws DitError 'corrupt' for tokens that an encoder of so many does not have */
export function checkTokens({ ids }: TokenBatch, vocabulary: number): void {
  const outside = ids.find((id) => id < 0 || id >= vocabulary)
  if (outside === undefined) return
  throw new DitError(
    'corrupt',
    `the tokenizer gave token ${outside}, the text encoder knows 0 to ${vocabulary - 1}`,
    'tokenizer and text_encoder are of different models: fetch the folder again.',
  )
}
