import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { describePath, joinPath, type Source } from '../../runtime/weights/source.ts'
import { BERT_TOKENS, convertBert } from './bert_converter.ts'
import { CLIP_TOKENS, convertClip } from './clip_converter.ts'
import { parseSentencePieceModel } from './sentencepiece_model.ts'
import type { SpecialTokens } from './special_tokens.ts'
import { convertT5 } from './t5_converter.ts'
import type { TokenFile } from './vocabulary.ts'

/** What is asked of a checkpoint's source here. */
export type TokenizerSource = Pick<Source, 'name' | 'exists' | 'size' | 'readInto' | 'readText'>

/** More sentinels than any T5 has. */
const MOST_EXTRA_IDS = 10_000
/** Far above any sentencepiece model (the multilingual T5's has 4.3 MB). */
const MOST_MODEL_BYTES = 64 * 1024 * 1024

/** What T5Tokenizer takes for padding where the folder names nothing. */
const T5_TOKENS: SpecialTokens['named'] = { pad_token: '<pad>' }

/** What the files beside a tokenizer's own say. */
export interface FolderSettings {
  /** tokenizer_config.json. */
  readonly config: Readonly<Record<string, unknown>>
  /** Names the config in errors. */
  readonly what: string
  /** The folder's special tokens, where its class takes these for those that it does not name. */
  readonly tokensOf: (defaults: SpecialTokens['named']) => SpecialTokens
}

/**
 * The tokenizer.json of a folder, or the one that its files stand for; the path of the file that it is of.
 * @throws DitError not-found where there is none, corrupt for damaged files
 */
export async function readTokenizer(
  source: TokenizerSource,
  dir: string,
  { config, what: configWhat, tokensOf }: FolderSettings,
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

/** `extra_ids`: how many sentinels follow a sentencepiece model's own pieces. */
function readExtraIds(value: unknown, what: string): number {
  const count = value ?? 100 // the default of transformers
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MOST_EXTRA_IDS) return count as number
  throw new DitError('corrupt', `extra_ids in ${what} is ${show(value)}, expected 0 to ${MOST_EXTRA_IDS}`)
}
