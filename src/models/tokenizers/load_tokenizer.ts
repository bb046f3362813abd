import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { describePath, joinPath, type Source } from '../../runtime/weights/source.ts'
import { BERT_TOKENS, convertBert } from './bert_converter.ts'
import { checkTokenizerJson } from './check_tokenizer_json.ts'
import { CLIP_TOKENS, convertClip } from './clip_converter.ts'
import { parseSentencePieceModel } from './sentencepiece_model.ts'
import { readSpecialTokens, type SpecialTokens } from './special_tokens.ts'
import { convertT5 } from './t5_converter.ts'
import { TextTokenizer } from './text_tokenizer.ts'
import type { TokenFile } from './vocabulary.ts'

export type { EncodedTexts, EncodeOptions, TextTokenizer } from './text_tokenizer.ts'

/** What is asked of a checkpoint's source here. */
export type TokenizerSource = Pick<Source, 'name' | 'exists' | 'size' | 'readInto' | 'readText'>

/** More sentinels than any T5 has. */
const MOST_EXTRA_IDS = 10_000
/** Far above any sentencepiece model (the multilingual T5's has 4.3 MB). */
const MOST_MODEL_BYTES = 64 * 1024 * 1024

/**
 * The tokenizer of a checkpoint's folder `dir` ('' for the source itself): its tokenizer.json, or what transformers
 * would derive from T5's spiece.model, CLIP's vocab.json and merges.txt, or BERT's vocab.txt.
 * @throws DitError not-found where it has none of them, corrupt for damaged files, unsupported for other kinds
 */
export async function loadTokenizer(source: TokenizerSource, dir: string): Promise<TextTokenizer> {
  const configPath = joinPath(dir, 'tokenizer_config.json')
  const config = await readObject(source, configPath)
  const configWhat = describePath(source, configPath)
  for (const side of ['padding_side', 'truncation_side']) {
    if ((config[side] ?? 'right') === 'right') continue
    const message = `${configWhat} has ${side} ${show(config[side])}; webdit pads and cuts on the right`
    throw new DitError('unsupported', message)
  }
  const special = await readObject(source, joinPath(dir, 'special_tokens_map.json'))
  const tokensOf = (defaults: SpecialTokens['named']) => readSpecialTokens(config, special, defaults, configWhat)
  const { path, json, tokens } = await readTokenizer(source, dir, config, configWhat, tokensOf)
  const what = describePath(source, path)
  return new TextTokenizer(checkTokenizerJson(json, what), {
    config,
    padToken: tokens.named.pad_token!,
    modelMaxLength: readMaxLength(config.model_max_length, configWhat),
    what,
  })
}

/** What T5Tokenizer takes for padding where the folder names nothing. */
const T5_TOKENS: SpecialTokens['named'] = { pad_token: '<pad>' }

async function readTokenizer(
  source: TokenizerSource,
  dir: string,
  config: Readonly<Record<string, unknown>>,
  configWhat: string,
  tokensOf: (defaults: SpecialTokens['named']) => SpecialTokens,
): Promise<{ path: string; json: unknown; tokens: SpecialTokens }> {
  const found = (name: string) => source.exists(joinPath(dir, name))
  const read = async (name: string): Promise<TokenFile> => {
    const path = joinPath(dir, name)
    return { text: await source.readText(path), what: describePath(source, path) }
  }
  if (await found('tokenizer.json')) {
    const { text, what } = await read('tokenizer.json')
    const json = parseJson(text, what)
    return { path: joinPath(dir, 'tokenizer.json'), json, tokens: tokensOf(defaultsOf(json)) }
  }
  if (await found('spiece.model')) {
    const path = joinPath(dir, 'spiece.model')
    const model = parseSentencePieceModel(await readModel(source, path), describePath(source, path))
    const json = convertT5(model, readExtraIds(config.extra_ids, configWhat), describePath(source, path))
    return { path, json, tokens: tokensOf(T5_TOKENS) }
  }
  if (await found('vocab.json')) {
    const tokens = tokensOf(CLIP_TOKENS)
    const json = convertClip(await read('vocab.json'), await read('merges.txt'), tokens)
    return { path: joinPath(dir, 'vocab.json'), json, tokens }
  }
  if (await found('vocab.txt')) {
    const tokens = tokensOf(BERT_TOKENS)
    const json = convertBert(await read('vocab.txt'), config, configWhat, tokens)
    return { path: joinPath(dir, 'vocab.txt'), json, tokens }
  }
  throw new DitError(
    'not-found',
    `there is no tokenizer in ${describePath(source, dir)}: none of tokenizer.json, spiece.model, vocab.json, vocab.txt`,
    'The download may be incomplete: fetch the folder again.',
  )
}

/** The padding that a tokenizer.json's class has by default goes by its model: T5's, CLIP's or BERT's. */
function defaultsOf(json: unknown): SpecialTokens['named'] {
  const type = (json as { model?: { type?: unknown } } | null)?.model?.type
  return type === 'BPE' ? CLIP_TOKENS : type === 'WordPiece' ? BERT_TOKENS : T5_TOKENS
}

async function readModel(source: TokenizerSource, path: string): Promise<Uint8Array> {
  const size = await source.size(path)
  if (size > MOST_MODEL_BYTES) {
    throw new DitError('corrupt', `${describePath(source, path)} has ${size} bytes, too many for a tokenizer`)
  }
  const bytes = new Uint8Array(size)
  await source.readInto(path, 0, bytes)
  return bytes
}

/** A JSON file that holds an object; empty where there is no file. */
async function readObject(source: TokenizerSource, path: string): Promise<Record<string, unknown>> {
  if (!(await source.exists(path))) return {}
  const what = describePath(source, path)
  const value = parseJson(await source.readText(path), what)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new DitError('corrupt', `${what} holds no object`, 'Fetch the file again.')
}

/** `extra_ids`: how many sentinels follow a sentencepiece model's own pieces. */
function readExtraIds(value: unknown, what: string): number {
  const count = value ?? 100 // the default of transformers
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MOST_EXTRA_IDS) return count as number
  throw new DitError('corrupt', `extra_ids in ${what} is ${show(value)}, expected 0 to ${MOST_EXTRA_IDS}`)
}

function readMaxLength(value: unknown, what: string): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY
  if (typeof value === 'number' && value >= 1) return value
  throw new DitError('corrupt', `model_max_length in ${what} is ${show(value)}, expected a positive number`)
}
