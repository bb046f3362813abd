import { DitError } from '../runtime/errors.ts'
import { checkInteger, type PipelineOptions, perPrompt } from './options.ts'
import { joinBatches, type PromptTokenizer, type TokenBatch, tokenize, trimPadding } from './text.ts'

/** What is said about each picture. */
export interface PictureTexts {
  readonly prompt: string
  /** What to stay away from. */
  readonly negative: string
}

/** What is said about each picture, in their order. @throws DitError 'bad-argument' */
export function textsOf(
  prompt: string | string[],
  options: Pick<PipelineOptions, 'negativePrompt' | 'numImagesPerPrompt'>,
): PictureTexts[] {
  const prompts = typeof prompt === 'string' ? [prompt] : prompt
  if (!Array.isArray(prompts) || prompts.length === 0 || prompts.some((p) => typeof p !== 'string')) {
    throw new DitError('bad-argument', 'a prompt is needed: a text, or a list of texts')
  }
  const negatives = perPrompt('negativePrompt', options.negativePrompt, prompts.length)
  const images = checkInteger('numImagesPerPrompt', options.numImagesPerPrompt ?? 1, 1, 1024)
  return prompts.flatMap((text, k) => Array<PictureTexts>(images).fill({ prompt: text, negative: negatives[k] }))
}

/** Tokens of every different text once, and which of them each batch entry has: the branch without the prompt first. */
export interface Captions {
  readonly tokens: TokenBatch
  readonly rows: Uint32Array
}

/**
 * @param branches [first, end) of 0, the branch without the prompt, and 1, the one with it. The texts of both are read
 *   whichever are asked for where `guided`, so that all ranks of a crew have the same tokens.
 */
export function captionsOf(
  tokenizer: PromptTokenizer,
  texts: readonly PictureTexts[],
  { length, guided, branches }: { length: number; guided: boolean; branches: { first: number; end: number } },
): Captions {
  const clean = (text: string) => text.toLowerCase().trim()
  const prompts = texts.map(({ prompt }) => clean(prompt))
  const negatives = guided ? texts.map(({ negative }) => clean(negative)) : []
  const [different, differentNegatives] = [[...new Set(prompts)], [...new Set(negatives)]]
  let tokens = tokenize(tokenizer, different, length, 'prompt')
  if (guided) tokens = joinBatches(tokenize(tokenizer, differentNegatives, length, 'negative prompt'), tokens)
  const rows = [
    negatives.map((text) => differentNegatives.indexOf(text)),
    prompts.map((text) => differentNegatives.length + different.indexOf(text)),
  ]
  return { tokens: trimPadding(tokens), rows: Uint32Array.from(rows.slice(branches.first, branches.end).flat()) }
}
